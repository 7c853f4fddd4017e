import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LlamaConfig } from '@tunefleet/model-formats';
import { type Provider, tryProvider } from '@tunefleet/tensor';
import type { Benchmark, Options } from '../benchmark.js';
import { compare, printRow, type Side } from '../compare.js';
import { makeWork, SMOLLM2_135M } from '../llama-step/work.js';
import type { Measured } from '../side.js';

const OURS = fileURLToPath(new URL('ours.js', import.meta.url));
const THREADS = '2';
const PROVIDERS: readonly Provider[] = ['cpu', 'webgpu', 'cuda'];

/** `tiny` is for software adapters, which take minutes for a step of the other. `products`: side of the squares that the provider's own rate is taken of. */
const SHAPES: Readonly<Record<string, { config: LlamaConfig; products: number }>> = {
  'smollm2-135m': { config: SMOLLM2_135M, products: 2048 },
  tiny: {
    config: {
      ...SMOLLM2_135M,
      hiddenSize: 64,
      intermediateSize: 128,
      layers: 2,
      heads: 2,
      keyValueHeads: 1,
      headSize: 32,
      vocabularySize: 512,
    },
    products: 256,
  },
};

type Figures = Measured & { step_gflops: number; share_of_matmul_rate: number };

export const providers: Benchmark = {
  name: 'providers',
  about:
    'the step of lora-step (--full: full-step) on every provider that answers here, each against the CPU; [--tokens 512] [--shape smollm2-135m|tiny] [--peak-tflops N of the GPU, float32]',
  options: {
    tokens: { type: 'string' },
    shape: { type: 'string' },
    full: { type: 'boolean' },
    rounds: { type: 'string' },
    'peak-tflops': { type: 'string' },
  },
  run,
};

async function run({ json, oursOnly, own }: Options): Promise<void> {
  const tokens = Number(own['tokens'] ?? 512);
  const name = String(own['shape'] ?? 'smollm2-135m');
  const shape = SHAPES[name];
  if (!shape) throw new Error(`--shape ${name} is not known: it is one of ${Object.keys(SHAPES).join(', ')}`);
  const variant = own['full'] === true ? 'full' : 'lora';
  const folder = mkdtempSync(join(tmpdir(), 'tunefleet-bench-'));
  try {
    await makeWork(folder, tokens, shape.config);
    const sideOf = (provider: Provider): Side => ({
      command: process.execPath,
      args: [OURS, folder, variant, THREADS, provider, String(shape.products)],
    });
    for (const provider of await answering()) {
      const alone = provider === 'cpu' || oursOnly;
      const row = await compare({
        bench: 'providers',
        variant: `${provider}, ${variant}, ${name}, ${tokens} tokens`,
        unit: 'tokens/s',
        ours: sideOf(provider),
        peer: alone ? null : { name: 'ours on cpu', ...sideOf('cpu') },
        rounds: Number(own['rounds'] ?? 3),
      });
      const { step_gflops, share_of_matmul_rate } = row.ours as Figures;
      const peak =
        own['peak-tflops'] === undefined || provider === 'cpu' ? {} : { share_of_peak: step_gflops / 1e3 / Number(own['peak-tflops']) };
      const shown = { ...row, share_of_matmul_rate, ...peak };
      printRow(shown, json);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Those that are here; of each other stderr says what is missing. */
async function answering(): Promise<Provider[]> {
  const found: Provider[] = [];
  for (const provider of PROVIDERS) {
    try {
      await tryProvider(provider);
      found.push(provider);
    } catch (error) {
      process.stderr.write(`bench: no ${provider}: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
  return found;
}
