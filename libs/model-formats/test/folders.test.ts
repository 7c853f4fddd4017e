import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { openLlamaFolder, writeLlamaFolder } from '../src/hugging-face/folder.js';
import { loraTensors, readLoraFolder, writeLoraFolder } from '../src/peft/adapter-folder.js';
import { openSafetensors } from '../src/safetensors/reader.js';
import { writeSafetensors } from '../src/safetensors/writer.js';
import { weightsSha256, weightsSha256Of } from '../src/weights-hash.js';

const fixture = (name: string) => new URL(`fixtures/python/${name}`, import.meta.url).pathname;
const json = async (path: string) => JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
const shared = process.env['TUNEFLEET_SHARED'] ?? new URL('../../../../shared', import.meta.url).pathname;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'model-formats-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function copyWith(source: string, file: string, changes: Record<string, unknown>): Promise<string> {
  const target = join(folder, 'copy');
  await cp(fixture(source), target, { recursive: true });
  await writeFile(join(target, file), JSON.stringify({ ...(await json(join(target, file))), ...changes }));
  return target;
}

describe('a Hugging Face folder', () => {
  test('in shards, as transformers 5 writes it, opens whole', async () => {
    const { config, weights } = await openLlamaFolder(fixture('llama-sharded'));
    expect(config).toEqual({
      hiddenSize: 8,
      intermediateSize: 12,
      layers: 2,
      heads: 4,
      keyValueHeads: 2,
      headSize: 2,
      vocabularySize: 16,
      maxPositions: 32,
      normEpsilon: 1e-6,
      ropeTheta: 10_000,
      tiedEmbeddings: false,
      bosTokenId: 1,
      eosTokenIds: [2],
      padTokenId: 0,
    });
    const { weights_sha256: expected } = await json(fixture('llama.json'));
    expect(await weightsSha256Of(weights)).toBe(expected);
    await weights.close();
  });

  test('written in one file holds the same weights and config', async () => {
    const { config, weights } = await openLlamaFolder(fixture('llama-sharded'));
    const tensors = await Promise.all(
      weights.names.map(async (name) => ({
        name,
        dtype: weights.info(name).dtype,
        shape: weights.info(name).shape,
        data: await weights.bytes(name),
      })),
    );
    await writeLlamaFolder(folder, config, tensors);
    const copy = await openLlamaFolder(folder);
    expect(copy.config).toEqual(config);
    expect(await weightsSha256Of(copy.weights)).toBe(await weightsSha256Of(weights));
    await expect(writeLlamaFolder(folder, config, tensors)).rejects.toMatchObject({ code: 'EEXIST' });
    await copy.weights.close();
    await weights.close();
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['another architecture', { architectures: ['MistralForCausalLM'] }, 'not_supported'],
    ['scaled rotary positions', { rope_parameters: { rope_type: 'llama3', factor: 8 } }, 'not_supported'],
    ['scaled rotary positions, the older way', { rope_scaling: { type: 'linear', factor: 2 } }, 'not_supported'],
    ['a bias', { attention_bias: true }, 'not_supported'],
    ['another activation', { hidden_act: 'gelu' }, 'not_supported'],
    ['quantized weights', { quantization_config: { bits: 4 } }, 'not_supported'],
    ['heads that do not divide', { num_key_value_heads: 3 }, 'invalid_config'],
    ['a size that is text', { hidden_size: '8' }, 'invalid_config'],
    ['a size above all bounds', { vocab_size: 2 ** 40 }, 'invalid_config'],
    ['an end of text outside the vocabulary', { eos_token_id: [2, 16] }, 'invalid_config'],
    ['shapes that differ from the tensors', { intermediate_size: 13 }, 'invalid_shape'],
    ['more layers than the tensors', { num_hidden_layers: 3 }, 'missing_tensor'],
    ['fewer layers than the tensors', { num_hidden_layers: 1 }, 'unknown_tensor'],
  ])('with %s is refused', async (_name, changes, code) => {
    const target = await copyWith('llama-sharded', 'config.json', changes);
    await expect(openLlamaFolder(target)).rejects.toMatchObject({ code });
  });

  test('whose index leads out of the folder is refused', async () => {
    const target = await copyWith('llama-sharded', 'model.safetensors.index.json', {
      weight_map: { 'model.norm.weight': '../mixed.safetensors' },
    });
    await expect(openLlamaFolder(target)).rejects.toMatchObject({ code: 'invalid_config' });
  });

  test('with a pickle instead of safetensors is refused as one', async () => {
    await writeFile(join(folder, 'config.json'), await readFile(fixture('llama-sharded/config.json')));
    await writeFile(join(folder, 'pytorch_model.bin'), 'anything');
    await expect(openLlamaFolder(folder)).rejects.toMatchObject({ code: 'pickle' });
  });
});

describe('a PEFT folder', () => {
  test('as peft writes it is read with its factors', async () => {
    const adapter = await readLoraFolder(fixture('adapter'));
    expect(adapter.config).toMatchObject({ rank: 2, alpha: 4, dropout: 0, base: null });
    expect(adapter.pairs.size).toBe(14);
    expect(adapter.pairs.get('model.layers.0.mlp.up_proj')).toMatchObject({ inputs: 8, outputs: 12 });
    const expected = await json(fixture('adapter.json'));
    expect(
      loraTensors(adapter)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(expected['names']);
    expect(weightsSha256(loraTensors(adapter))).toBe(expected['weights_sha256']);
  });

  test('is written with the bytes that peft wrote', async () => {
    const adapter = await readLoraFolder(fixture('adapter'));
    await writeLoraFolder(folder, adapter);
    const [ours, theirs] = await Promise.all([folder, fixture('adapter')].map((path) => readFile(join(path, 'adapter_model.safetensors'))));
    expect(Buffer.compare(ours!, theirs!)).toBe(0);
    expect(await readLoraFolder(folder)).toEqual(adapter);
  });

  test.each<[string, Record<string, unknown>, string, string]>([
    ['DoRA', { use_dora: true }, 'not_supported', 'use_dora'],
    ['a trained bias', { bias: 'lora_only' }, 'not_supported', 'bias'],
    ['whole modules that are not there', { modules_to_save: ['lm_head'] }, 'missing_tensor', 'lm_head'],
    ['ranks by pattern that its tensors do not have', { rank_pattern: { q_proj: 4 } }, 'invalid_shape', 'rank 4'],
    ['a rank that is no number', { rank_pattern: { q_proj: '4' } }, 'invalid_config', 'q_proj'],
    ['a pattern that is no expression', { alpha_pattern: { '(q': 4 } }, 'invalid_config', 'alpha_pattern'],
    ['an expression that could run for ever', { target_modules: '(?=.*)(a+)+$' }, 'invalid_config', 'RE2'],
    ['layers beside an expression', { target_modules: '.*_proj', layers_to_transform: [0] }, 'invalid_config', 'layers_to_transform'],
    ['fewer layers than its tensors', { layers_to_transform: [0], target_modules: ['q_proj'] }, 'unknown_tensor', 'target_modules'],
    ['tied weights', { ensure_weight_tying: true }, 'not_supported', 'ensure_weight_tying'],
    ['a start that changes the base', { init_lora_weights: 'pissa' }, 'not_supported', 'init_lora_weights'],
    ['an expression that does not match its tensors', { target_modules: '.*q_proj' }, 'unknown_tensor', 'down_proj'],
    ['another kind of adapter', { peft_type: 'IA3' }, 'not_supported', 'peft_type'],
    ['rank 0', { r: 0 }, 'invalid_config', '`r`'],
    ['another rank than its tensors', { r: 3 }, 'invalid_shape', 'rank 3'],
    ['fewer targets than its tensors', { target_modules: ['q_proj'] }, 'unknown_tensor', 'down_proj'],
  ])('with %s is refused by name', async (_name, changes, code, named) => {
    const target = await copyWith('adapter', 'adapter_config.json', changes);
    await expect(readLoraFolder(target)).rejects.toMatchObject({ code, message: expect.stringContaining(named) });
  });

  test('with half of a pair is refused', async () => {
    const target = await copyWith('adapter', 'adapter_config.json', {});
    const reader = await openSafetensors(join(target, 'adapter_model.safetensors'));
    const name = reader.names[0]!;
    const only = { name, dtype: reader.info(name).dtype, shape: reader.info(name).shape, data: await reader.bytes(name) };
    await reader.close();
    await rm(join(target, 'adapter_model.safetensors'));
    await writeSafetensors(join(target, 'adapter_model.safetensors'), [only]);
    await expect(readLoraFolder(target)).rejects.toMatchObject({ code: 'missing_tensor' });
  });
});

const pickle = join(shared, 'data/models/torchtune-tiny/tiny_fair_checkpoint.pt');
skipUnless(existsSync(pickle), 'TUNEFLEET_SHARED has no torchtune-tiny')('a torch checkpoint is refused as a pickle', async () => {
  await expect(openSafetensors(pickle)).rejects.toMatchObject({ code: 'pickle' });
});

const stories = join(shared, 'data/models/stories260K-hf');
skipUnless(existsSync(stories), 'TUNEFLEET_SHARED has no stories260K-hf')('stories260K-hf opens', async () => {
  const { config, weights } = await openLlamaFolder(stories);
  expect(config).toMatchObject({ hiddenSize: 64, layers: 5, vocabularySize: 512, tiedEmbeddings: true });
  expect(weights.names).toHaveLength(47);
  await weights.close();
});
