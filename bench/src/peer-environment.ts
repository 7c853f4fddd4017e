import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Pinned: figures name these. */
const PACKAGES = [
  'torch==2.15.0',
  'transformers==5.23.0',
  'peft==0.21.2',
  'safetensors==0.8.0',
  'trl==1.16.0',
  'accelerate==1.15.0',
  'gguf==0.19.0',
];

const folder = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'tunefleet', `peers-${PACKAGES[0]?.split('==')[1]}`);

/** Python with the peers, made once in the tools cache (some GB, minutes), or `TUNEFLEET_PEER_PYTHON`. Null, with the reason on stderr, where it cannot be made. */
export function peerPython(): string | null {
  const given = process.env['TUNEFLEET_PEER_PYTHON'];
  if (given) return given;
  const python = join(folder, 'bin', 'python');
  if (existsSync(join(folder, 'complete'))) return python;
  mkdirSync(folder, { recursive: true });
  process.stderr.write(`bench: making the peers' environment once: ${PACKAGES.join(' ')}\n`);
  for (const [command, ...args] of [
    ['python3', '-m', 'venv', folder],
    [python, '-m', 'pip', 'install', '--quiet', ...PACKAGES],
  ] as const) {
    const run = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    if (run.status === 0) continue;
    process.stderr.write(`bench: the peers cannot be built: ${command} ${args[0]} ${args[1]} ended with ${run.status}\n`);
    return null;
  }
  writeFileSync(join(folder, 'complete'), '');
  return python;
}

/**
 * Whether the peers' environment has a module that only some rows need and that is built from source (minutes): installed once; into an environment
 * that was given, never. Where it cannot be had, the reason is on stderr.
 */
export function peerHas(python: string, module: string, requirement: string): boolean {
  const found = (): boolean => spawnSync(python, ['-c', `import ${module}`], { stdio: 'ignore' }).status === 0;
  if (found()) return true;
  if (!process.env['TUNEFLEET_PEER_PYTHON']) {
    process.stderr.write(`bench: building ${requirement} once\n`);
    const { status } = spawnSync(python, ['-m', 'pip', 'install', '--quiet', requirement], { stdio: ['ignore', 'inherit', 'inherit'] });
    if (status === 0 && found()) return true;
  }
  process.stderr.write(`bench: ${requirement} is not there; its rows have no peer\n`);
  return false;
}
