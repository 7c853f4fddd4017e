import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** What one side did in one process: the value in the benchmark's unit, seconds, and VmHWM. */
export interface Measured {
  value: number;
  seconds: number;
  peak_rss_mb: number;
}

/** Run one side in a process of its own; its last line of stdout is a `Measured` as JSON. */
export async function runSide(command: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<Measured> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NODE_OPTIONS: '', ...env } });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command} ended with ${code}`);
  return JSON.parse(text.trim().split('\n').at(-1) ?? '') as Measured;
}
