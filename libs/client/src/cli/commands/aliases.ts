import type { AliasObject, GateRule, PutGateBody } from '@tunefleet/contracts';
import type { Command } from 'commander';
import { connect, type Define } from '../context.js';
import { usage } from '../failure.js';
import { fields, table, time } from '../text.js';
import { number, readBody, wholeNumber } from '../values.js';

const ruleText = ({ eval: id, min, min_gain_over_base: gain }: GateRule): string =>
  `${id} >= ${min}${gain === undefined ? '' : `, base + ${gain}`}`;

const gateText = (alias: AliasObject): string | null => alias.gate?.rules.map(ruleText).join('; ') ?? null;

export function aliasCommands(program: Command, define: Define): void {
  const aliases = program.command('aliases').description('names such as production that stand for a model, and their gates');

  define(
    aliases
      .command('list', { isDefault: true })
      .description('the aliases of the project')
      .option('--limit <n>', 'at most this many', wholeNumber, 100)
      .option('--after <name>', 'those behind this one'),
    async (query: { limit: number; after?: string }) => {
      const object = await connect().aliases.list(query);
      const rows = object.data.map((a) => [a.id, a.model, gateText(a), time(a.updated_at)]);
      return { object, text: table(['NAME', 'MODEL', 'GATE', 'UPDATED'], rows) };
    },
  );

  define(
    aliases.command('set <name> <model>').description('let a name stand for a model; onto a tuned one its gate has to pass'),
    async (name: string, model: string) => {
      const object = await connect().aliases.set(name, model);
      return { object, text: fields({ name: object.id, model: object.model, gate: gateText(object) }) };
    },
  );

  define(aliases.command('delete <name>').description('take a name away; its gate stays'), async (name: string) => {
    const object = await connect().aliases.delete(name);
    return { object, text: `deleted ${name}` };
  });

  define(
    aliases
      .command('gate <name>')
      .description('what a tuned model has to meet before the name may stand for it; needs an admin key')
      .option('--eval <id>', 'the eval whose newest run on the model counts')
      .option('--min <share>', 'pass rate, 0 to 1', number)
      .option('--min-gain-over-base <share>', 'pass rate above that of its base', number)
      .option('--body <file>', 'several rules: {"rules": [{"eval", "metric", "min", "min_gain_over_base"}]}; - is stdin'),
    async (name: string, options: { eval?: string; min?: number; minGainOverBase?: number; body?: string }) => {
      const object = await connect().aliases.setGate(name, gateBody(options));
      return { object, text: fields({ alias: object.alias, rules: object.rules.map(ruleText).join('; ') }) };
    },
  );
}

function gateBody(options: { eval?: string; min?: number; minGainOverBase?: number; body?: string }): PutGateBody {
  if (options.body !== undefined) return readBody(options.body) as unknown as PutGateBody;
  if (options.eval === undefined || options.min === undefined)
    throw usage('a gate needs --eval and --min, or --body', 'e.g. --eval eval_... --min 0.8');
  const gain = options.minGainOverBase;
  return {
    rules: [{ eval: options.eval, metric: 'pass_rate', min: options.min, ...(gain === undefined ? {} : { min_gain_over_base: gain }) }],
  };
}
