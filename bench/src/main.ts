import { parseArgs } from 'node:util';
import { type Benchmark, DataAbsentError } from './benchmark.js';
import { compileBenchmark } from './compile/benchmark.js';
import { decode } from './decode/benchmark.js';
import { encoderEquality } from './encoder-equality/benchmark.js';
import { encoderFrozen } from './encoder-frozen/benchmark.js';
import { encoderFull } from './encoder-full/benchmark.js';
import { equality } from './equality/benchmark.js';
import { fullStep } from './full-step/benchmark.js';
import { growth } from './growth/benchmark.js';
import { loraSft } from './lora-sft/benchmark.js';
import { loraStep } from './lora-step/benchmark.js';
import { profile } from './profile/benchmark.js';
import { providers } from './providers/benchmark.js';
import { qloraStep } from './qlora-step/benchmark.js';
import { smallStep } from './small-step/benchmark.js';

const BENCHMARKS: readonly Benchmark[] = [
  smallStep,
  loraStep,
  qloraStep,
  fullStep,
  decode,

  profile,
  equality,
  encoderFull,
  encoderFrozen,
  encoderEquality,
  compileBenchmark,
  loraSft,
  growth,
  providers,
];

const USAGE = `npm run bench -- NAME [--json] [--ours-only]\n${BENCHMARKS.map((one) => `  ${one.name.padEnd(18)}${one.about}\n`).join('')}`;

function fail(message: string, code: number): void {
  process.stderr.write(`bench: ${message}\n`);
  process.exitCode = code;
}

async function run(benchmark: Benchmark, args: string[]): Promise<void> {
  const common = { json: { type: 'boolean' }, 'ours-only': { type: 'boolean' } } as const;
  const { values, positionals } = parseArgs({ args, options: { ...common, ...benchmark.options }, allowPositionals: true });
  const { json, 'ours-only': oursOnly, ...own } = values as Record<string, string | boolean>;
  await benchmark.run({ json: json === true, oursOnly: oursOnly === true, arguments: positionals, own });
}

const args = process.argv.slice(2);
const place = args.findIndex((arg) => !arg.startsWith('--'));
const name = args[place];
const chosen = BENCHMARKS.find((benchmark) => benchmark.name === name);

if (name === undefined) {
  process.stdout.write(USAGE);
} else if (!chosen) {
  fail(`no benchmark '${name}'; there are ${BENCHMARKS.map((one) => one.name).join(', ')}`, 2);
} else {
  await run(chosen, args.toSpliced(place, 1)).catch((error: unknown) => {
    if (error instanceof DataAbsentError) fail(error.message, 3);
    else if (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')) fail(error.message, 2);
    else throw error;
  });
}
