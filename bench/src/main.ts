import { smallStep } from './small-step/benchmark.js';

export interface Options {
  json: boolean;
  oursOnly: boolean;
}

interface Benchmark {
  name: string;
  about: string;
  run(options: Options): Promise<void>;
}

const BENCHMARKS: readonly Benchmark[] = [smallStep];

const args = process.argv.slice(2);
const name = args.find((arg) => !arg.startsWith('--'));
const unknown = args.find((arg) => arg.startsWith('--') && !['--json', '--ours-only'].includes(arg));
const chosen = BENCHMARKS.find((benchmark) => benchmark.name === name);

if (unknown !== undefined) {
  process.stderr.write(`bench: unknown option ${unknown}; there are --json and --ours-only\n`);
  process.exitCode = 2;
} else if (name === undefined) {
  process.stdout.write(
    `npm run bench -- NAME [--json] [--ours-only]\n${BENCHMARKS.map((one) => `  ${one.name.padEnd(14)}${one.about}\n`).join('')}`,
  );
} else if (!chosen) {
  process.stderr.write(`bench: no benchmark '${name}'; there are ${BENCHMARKS.map((one) => one.name).join(', ')}\n`);
  process.exitCode = 2;
} else {
  await chosen.run({ json: args.includes('--json'), oursOnly: args.includes('--ours-only') });
}
