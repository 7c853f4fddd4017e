import { join } from 'node:path';
import { test } from '@jest/globals';
import { graphOf, lower, printGraph } from '@tunefleet/tensor';
import { expectGolden } from '../../../tools/jest/golden.js';
import { openBaseWeights } from '../src/base-weights.js';
import { stepGraph } from '../src/generation/decoder.js';
import { oneLayerLlama } from './one-layer.js';

// A change of a pass or of the decoding graph is a difference to review in ir/. UPDATE_IR=1 writes it.
test('the graph of a decoding step with an adapter is printed as committed, before and after the passes', async () => {
  const base = await openBaseWeights(await oneLayerLlama());
  const stages = new Map<string, string>();
  lower(graphOf(stepGraph(base, true, new Map())), 'cpu', (pass, graph) => stages.set(pass, printGraph(graph)));
  const texts = [...stages.values()];
  expectGolden(join(import.meta.dirname, 'ir/llama-decode.building.txt'), texts[0]!);
  expectGolden(join(import.meta.dirname, 'ir/llama-decode.cpu.txt'), texts.at(-1)!);
  await base.release();
});
