import { expect, test } from '@jest/globals';
import { compile, GraphBuilder } from '@tunefleet/tensor';
import { causalLlama, openBaseWeights, weightParts, wholeLogits } from '../src/index.js';
import { expected, folderOf, type ModelName } from './fixture.js';

test.each<ModelName>(['tiny-llama', 'tiny-tied'])(
  'logits of packed examples of %s are as near to float64 as those of transformers',
  async (name) => {
    const { ids, logits, transformers_float32_error: theirs } = expected[name];
    const base = await openBaseWeights(folderOf(name));
    const network = causalLlama(base.config);
    // Every position is wanted: one more id than there are logits. Twice, so that one example cannot see the other.
    const example = { ids: Int32Array.from([...ids, 0]), weights: new Float32Array(ids.length + 1).fill(1) };
    const batch = network.batch([example, example])!;
    const builder = new GraphBuilder();
    const weight = base.in(builder);
    const built = network.build(builder, {
      ...weightParts((tensor) => (tensor.endsWith('.bias') ? undefined : weight(tensor))),
      dropout: (_site, _probability, x) => x,
    });
    const executable = await compile({ outputs: { logits: wholeLogits(built.logits) } });
    const found = (await executable.run(batch.feeds))['logits']!;
    await executable.release();
    await base.release();
    const exact = [...logits, ...logits].flat();
    expect(found.shape).toEqual([2 * ids.length, logits[0]!.length]);
    const largest = exact.reduce((most, logit) => Math.max(most, Math.abs(logit)), 0);
    const error = exact.reduce((most, logit, at) => Math.max(most, Math.abs(logit - found.data[at]!)), 0);
    expect(error).toBeLessThanOrEqual(2 * theirs);
    expect(error).toBeLessThan(1e-4 * largest);
  },
);
