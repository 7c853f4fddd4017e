import type { RpcReply, RpcRequest } from '@tunefleet/contracts';
import type { Store } from '../store/records.js';
import { getEval } from './evals.js';

/**
 * Completed runs of an eval on these weights, for a gate. Only runs on the eval's own data count: the rows of its first run.
 * A run on easier rows can be made, but promotes nothing.
 */
export async function gateResults(store: Store, request: RpcRequest<'evaluator.get_results'>): Promise<RpcReply<'evaluator.get_results'>> {
  const of = await getEval(store, request.project, request.eval);
  const wanted = new Set(request.weights_sha256);
  const candidates = [...store.runs.all()].filter(
    (run) =>
      run.eval_id === of.id &&
      run.work.state === 'succeeded' &&
      run.data_sha256 === of.data_sha256 &&
      run.weights_sha256 !== null &&
      wanted.has(run.weights_sha256),
  );
  const runs = await Promise.all(candidates.map(({ id }) => store.runs.get(id)));
  return {
    results: runs.flatMap((stored) => {
      if (!stored?.value.model || stored.value.data_sha256 === null) return [];
      const { id, model, data_sha256, summary, created_at } = stored.value;
      return [{ weights_sha256: model.weights_sha256, run: id, data_sha256, ...summary.counts, created_at }];
    }),
  };
}
