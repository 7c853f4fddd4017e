import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { repository } from '../../../tools/jest/tools.js';

const MAIN = join(repository, 'libs', 'client', 'dist', 'cli', 'main.js');

export interface Ended {
  exit: number | null;
  stdout: string;
  stderr: string;
}

export const start = (env: Record<string, string>, args: string[]): { child: ChildProcessWithoutNullStreams; ended: Promise<Ended> } => {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...process.env, NODE_OPTIONS: '', TUNEFLEET_URL: '', TUNEFLEET_API_KEY: '', ...env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin.end();
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exit) => resolve({ exit, stdout, stderr }));
  });
  return { child, ended };
};

/** Runs `tunefleet` as a process of its own. */
export const tunefleet = (env: Record<string, string>, ...args: string[]): Promise<Ended> => start(env, args).ended;
