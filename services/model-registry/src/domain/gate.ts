import { ApiError, type GateRule, type RpcReply, type RuleOutcome } from '@tunefleet/contracts';

type Result = RpcReply<'evaluator.get_results'>['results'][number];

/** Completed runs of one eval on these weights, any order. */
export type Results = (evalId: string, weights: string[]) => Promise<Result[]>;

/** Share of all rows that passed: a row that errored did not pass. */
const passRate = (result: Result | undefined): number | null => (result && result.total > 0 ? result.passed / result.total : null);

const newest = (results: Result[], weights: string): Result | undefined =>
  results.filter((r) => r.weights_sha256 === weights).sort((a, b) => b.created_at - a.created_at)[0];

/** Judge every rule for a version's weights; a rule with `min_gain_over_base` gives two outcomes. */
export async function judge(rules: GateRule[], weights: string, baseWeights: string, results: Results): Promise<RuleOutcome[]> {
  const outcomes: RuleOutcome[] = [];
  for (const rule of rules) {
    const found = await results(rule.eval, [weights, baseWeights]);
    const tuned = passRate(newest(found, weights));
    outcomes.push({ eval: rule.eval, rule: 'min', required: rule.min, actual: tuned, passed: tuned !== null && tuned >= rule.min });
    if (rule.min_gain_over_base === undefined) continue;
    const base = passRate(newest(found, baseWeights));
    const gain = tuned === null || base === null ? null : tuned - base;
    outcomes.push({
      eval: rule.eval,
      rule: 'min_gain_over_base',
      required: rule.min_gain_over_base,
      actual: gain,
      passed: gain !== null && gain >= rule.min_gain_over_base,
    });
  }
  return outcomes;
}

const sentence = ({ eval: id, rule, required, actual, passed }: RuleOutcome): string => {
  const what = rule === 'min' ? 'pass rate' : 'gain over base';
  const have = actual === null ? 'no completed run counts' : actual.toFixed(4);
  return `${id}: ${what} needs at least ${required}, ${have} (${passed ? 'passed' : 'not passed'})`;
};

/** Throws 400 `gate_not_passed` naming every rule and figure unless all passed. */
export function requirePassed(alias: string, model: string, outcomes: RuleOutcome[]): void {
  if (outcomes.every((o) => o.passed)) return;
  throw new ApiError(
    'gate_not_passed',
    `The gate of alias '${alias}' refuses '${model}': ${outcomes.map(sentence).join('; ')}. Run the named evals on this model (and on its base where a gain is asked for) and try again.`,
    { param: 'model', detail: { rules: outcomes } },
  );
}

/** A gate on an eval that does not exist could never be passed: 404 `eval_not_found` when it is set. */
export async function requireEvals(rules: GateRule[], results: Results): Promise<void> {
  for (const [index, rule] of rules.entries()) {
    try {
      await results(rule.eval, []);
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'eval_not_found') throw error;
      throw new ApiError('eval_not_found', `No eval '${rule.eval}' in this project. GET /v1/evals lists them.`, {
        param: `rules.${index}.eval`,
        cause: error,
      });
    }
  }
}
