import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Benchmark } from '../benchmark.js';
import { compare, printRow, type Side } from '../compare.js';
import { peerHas, peerPython } from '../peer-environment.js';
import type { Measured } from '../side.js';
import { writeGguf } from './gguf.js';
import { makeWork } from './work.js';

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

const ggufOf = (folder: string, precision: Precision): string => join(folder, `${precision}.gguf`);

/** Whom a precision is compared with; `side` is null where the peer cannot be had. */
function peersOf(folder: string, precision: Precision, python: string | null, llamaCpp: boolean): Peer[] {
  const side = (script: string, ...args: string[]): Side => ({ command: python ?? '', args: [peer(script), folder, ...args, THREADS] });
  return [
    { name: 'transformers in float32', side: python === null ? null : side('decode') },
    {
      name: `llama.cpp in ${precision === 'int4' ? 'Q4_0' : 'F32'}`,
      side: llamaCpp ? side('decode_llama_cpp', ggufOf(folder, precision)) : null,
    },
  ];
}

/** Tokens of one stream after a prompt, in both precisions, against transformers and against llama.cpp on the same weights. */
export const decode: Benchmark = {
  name: 'decode',
  about:
    'one stream of a SmolLM2-135M shape, 128 tokens after 128, greedy, [--precision float32|int4], against transformers and llama.cpp, 2 threads, [--rounds 3]',
  options: { precision: { type: 'string' }, rounds: { type: 'string' } },
  async run({ json, oursOnly, own }) {
    const precisions = PRECISIONS.filter((precision) => own['precision'] === undefined || own['precision'] === precision);
    const rounds = Number(own['rounds'] ?? ROUNDS);
    const python = oursOnly ? null : peerPython();
    const llamaCpp = python !== null && peerHas(python, 'llama_cpp', LLAMA_CPP);
    const folder = mkdtempSync(join(tmpdir(), 'tunefleet-bench-'));
    try {
      await makeWork(folder);
      for (const precision of precisions) {
        if (llamaCpp) await writeGguf(join(folder, 'base'), ggufOf(folder, precision), precision);
        const ours: Side = { command: process.execPath, args: [OURS, folder, precision, THREADS] };
        for (const { name, side } of peersOf(folder, precision, python, llamaCpp)) {
          const variant = `${precision} against ${name}`;
          const row = await compare({ bench: 'decode', variant, unit: 'tokens/s', ours, peer: side && { name, ...side }, rounds });
          const same_ids = row.peer && agreeing((row.ours as WithIds).ids, (row.peer as Measured as WithIds).ids);
          const shown = { ...row, ours: withoutIds(row.ours), peer: row.peer && withoutIds(row.peer), same_ids };
          printRow(shown, json);
        }
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
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
