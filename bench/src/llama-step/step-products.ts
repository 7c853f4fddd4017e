import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { countProducts, graphOf, lower, type ProductCount, type Provider, sizesOf } from '@tunefleet/tensor';
import { openTrainable, passGraph, type TrainingSpec } from '@tunefleet/training-core';
import { asExamples } from './spec.js';

/** The matrix products of a step of one row of `tokens`, all trained on, as a provider's graph has them. */
export async function stepProducts(spec: TrainingSpec, tokens: number, provider: Provider = 'cpu'): Promise<ProductCount[]> {
  const scratch = mkdtempSync(join(tmpdir(), 'tunefleet-share-'));
  const model = await openTrainable(spec, scratch);
  try {
    const graph = lower(graphOf(passGraph(model, true, spec.memory === 'lean' ? 'layers' : 'nothing').outputs), provider);
    const [row] = asExamples([Array.from({ length: tokens + 1 }, () => 0)]);
    const batch = model.network.batch([row!]);
    return countProducts(graph, sizesOf(graph, batch!.feeds));
  } finally {
    await model.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}
