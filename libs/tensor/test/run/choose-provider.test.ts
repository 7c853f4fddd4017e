import { existsSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { chooseProvider } from '../../src/index.js';
import { cudaLibrary } from '../../src/run/library.js';

test('auto takes the CPU only with a reason for each provider that it would rather have', async () => {
  const { provider, reason } = await chooseProvider('auto');
  const reasons = {
    cuda: /^a CUDA device answers$/,
    webgpu: /^a GPU answers: .+, no cuda \(.+\)$/,
    cpu: /^no cuda \(.+\), no webgpu \(.+\)$/,
  };
  expect(reason).toMatch(reasons[provider]);
});

test('a provider that was asked for is taken, or refused by name', async () => {
  expect(await chooseProvider('cpu')).toEqual({ provider: 'cpu', reason: 'it was asked for' });
  if (!existsSync(cudaLibrary()))
    await expect(chooseProvider('cuda')).rejects.toThrow(/execution provider "cuda" is not part of this ONNX Runtime/);
});
