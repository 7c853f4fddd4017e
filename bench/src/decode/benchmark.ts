import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Benchmark } from '../benchmark.js';
import { compare, printRow, type Side } from '../compare.js';
import { peerHas, peerPython } from '../peer-environment.js';
import type { Measured } from '../side.js';
import { type GgufWeights, writeGguf } from './gguf.js';
import { makeWork, type Weights } from './work.js';

const OURS = fileURLToPath(new URL('ours.js', import.meta.url));
const peer = (name: string): string => fileURLToPath(new URL(`../../peers/${name}.py`, import.meta.url));
const THREADS = '2';
const ROUNDS = '3';
/** built from source: needs a C++ compiler and CMake */
const LLAMA_CPP = 'llama-cpp-python==0.3.36';

type WithIds = Measured & { ids: number[] };

const PRECISIONS = ['float32', 'int4'] as const;
type Precision = (typeof PRECISIONS)[number];
type Peer = { name: string; side: Side | null };

/** The rows, and what llama.cpp has of the same weights. */
const ROWS: readonly { precision: Precision; weights: Weights; title: string; gguf: GgufWeights; ggufName: string }[] = [
  { precision: 'float32', weights: 'bfloat16', title: 'float32', gguf: 'bfloat16', ggufName: 'BF16' },
  { precision: 'float32', weights: 'float32', title: 'float32, of weights that need it', gguf: 'float32', ggufName: 'F32' },
  { precision: 'int4', weights: 'bfloat16', title: 'int4', gguf: 'int4', ggufName: 'Q4_0' },
];

/** Tokens of one stream after a prompt, in both precisions, against transformers and against llama.cpp on the same weights. */
export const decode: Benchmark = {
  name: 'decode',
  about:
    'one stream of a SmolLM2-135M shape, 128 tokens after 128, greedy, [--precision float32|int4], against transformers and llama.cpp, 2 threads, [--rounds 3]',
  options: { precision: { type: 'string' }, rounds: { type: 'string' } },
  async run({ json, oursOnly, own }) {
    const rows = ROWS.filter(({ precision }) => own['precision'] === undefined || own['precision'] === precision);
    const rounds = Number(own['rounds'] ?? ROUNDS);
    const python = oursOnly ? null : peerPython();
    const llamaCpp = python !== null && peerHas(python, 'llama_cpp', LLAMA_CPP);
    for (const { precision, weights, title, gguf, ggufName } of rows) {
      const folder = mkdtempSync(join(tmpdir(), 'tunefleet-bench-'));
      try {
        await makeWork(folder, weights);
        const file = join(folder, 'model.gguf');
        if (llamaCpp) await writeGguf(join(folder, 'base'), file, gguf);
        const side = (script: string, ...args: string[]): Side => ({
          command: python ?? '',
          args: [peer(script), folder, ...args, THREADS],
        });
        const peers: Peer[] = [
          { name: 'transformers in float32', side: python === null ? null : side('decode') },
          { name: `llama.cpp in ${ggufName}`, side: llamaCpp ? side('decode_llama_cpp', file) : null },
        ];
        const ours: Side = { command: process.execPath, args: [OURS, folder, precision, THREADS] };
        for (const { name, side: theirs } of peers) {
          const variant = `${title} against ${name}`;
          const row = await compare({ bench: 'decode', variant, unit: 'tokens/s', ours, peer: theirs && { name, ...theirs }, rounds });
          const same_ids = row.peer && agreeing((row.ours as WithIds).ids, (row.peer as Measured as WithIds).ids);
          const shown = { ...row, ours: withoutIds(row.ours), peer: row.peer && withoutIds(row.peer), same_ids };
          printRow(shown, json);
        }
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }
  },
};

/** How many ids are the same before the first that differs: greedy texts part where two logits nearly tie. */
function agreeing(own: readonly number[], theirs: readonly number[]): number {
  const parting = own.findIndex((id, place) => theirs[place] !== id);
  return parting < 0 ? own.length : parting;
}

function withoutIds<T extends object>(measured: T): Omit<T, 'ids'> {
  const { ids: _ids, ...rest } = measured as T & { ids?: unknown };
  return rest;
}
