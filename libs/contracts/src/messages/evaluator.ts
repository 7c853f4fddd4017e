import { Type } from 'typebox';
import { Id, Project } from './common.js';

export const evaluatorRpc = {
  /** Completed runs of an eval on these weights: what a gate rule is judged by. Only runs on the eval's current data hash count. */
  'evaluator.get_results': {
    request: Type.Object({ project: Project, eval: Id, weights_sha256: Type.Array(Type.String()) }),
    reply: Type.Object({
      results: Type.Array(
        Type.Object({
          weights_sha256: Type.String(),
          run: Id,
          data_sha256: Type.String(),
          total: Type.Integer(),
          passed: Type.Integer(),
          failed: Type.Integer(),
          errored: Type.Integer(),
          created_at: Type.Integer(),
        }),
      ),
    }),
  },
} as const;
