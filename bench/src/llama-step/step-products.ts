import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { QUERY_BLOCKS } from '@tunefleet/models';
import { countProducts, graphOf, lower, type ProductCount, type Provider } from '@tunefleet/tensor';
import { openTrainable, passGraph, type TrainingSpec } from '@tunefleet/training-core';

/** The matrix products of a step of one row of `tokens`, all trained on, as a provider's graph has them. */
export async function stepProducts(spec: TrainingSpec, tokens: number, provider: Provider = 'cpu'): Promise<ProductCount[]> {
  const scratch = mkdtempSync(join(tmpdir(), 'tunefleet-share-'));
  const model = await openTrainable(spec, scratch);
  try {
    const graph = lower(graphOf(passGraph(model, true, spec.memory === 'lean' ? 'layers' : 'nothing').outputs), provider);
    const bindings = new Map([
      ['tokens', tokens],
      ['trained', tokens],
      ['block', Math.ceil(tokens / QUERY_BLOCKS)],
      ['examples', 1],
    ]);
    return countProducts(graph, bindings);
  } finally {
    await model.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}
