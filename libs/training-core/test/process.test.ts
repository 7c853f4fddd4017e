import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, jest, test } from '@jest/globals';
import { latestSnapshot } from '../src/snapshot/snapshot.js';
import type { MetricsRow, TrainingSpec } from '../src/spec.js';
import { specOf } from './fixture.js';

jest.setTimeout(120_000);

// V8 grows its young generation at leisure (30 MB over 900 steps); held small, what is left to grow is ours.
const FLAGS = ['--max-semi-space-size=1'];

interface Message {
  row?: MetricsRow;
  rss?: number;
  outcome?: string;
  folder?: string;
}

/** Trains in a child process; kill -9 as soon as `killAfter` steps were reported. */
async function inProcess(spec: TrainingSpec, resume: string | null, killAfter = Number.POSITIVE_INFINITY): Promise<Message[]> {
  const child = spawn(process.execPath, [...FLAGS, join(import.meta.dirname, 'training-process.mjs'), JSON.stringify(spec), resume ?? ''], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const messages: Message[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const message = JSON.parse(line) as Message;
    messages.push(message);
    if ((message.row?.step ?? 0) >= killAfter) child.kill('SIGKILL');
  }
  return messages;
}

const rowsOf = (messages: Message[]): MetricsRow[] => messages.flatMap(({ row }) => (row ? [row] : []));
const weightsOf = (messages: Message[]): Promise<Buffer> => readFile(join(messages.at(-1)!.folder!, 'model.safetensors'));

test('a process killed with -9 again and again ends with the bytes of one that ran through', async () => {
  const settings = { epochs: 5, max_steps: null, shuffle: true, batch_size: 4, micro_batch_size: 2, snapshot: { every_steps: 3, keep: 2 } };
  const whole = await inProcess(await specOf('tiny-llama', 'full', settings), null);
  const spec = await specOf('tiny-llama', 'full', settings);
  const rows = new Map<number, MetricsRow>();
  const note = (messages: Message[]): Message[] => {
    for (const row of rowsOf(messages)) rows.set(row.step, row);
    return messages;
  };
  const snapshot = async (): Promise<string | null> => (await latestSnapshot(join(spec.folder, 'snapshots')))?.folder ?? null;
  for (const step of [2, 7, 13, 24, 40]) note(await inProcess(spec, await snapshot(), step));
  const last = note(await inProcess(spec, await snapshot()));
  expect(last.at(-1)!.outcome).toBe('finished');
  expect([...rows.values()].sort((a, b) => a.step - b.step)).toEqual(rowsOf(whole));
  expect((await weightsOf(last)).equals(await weightsOf(whole))).toBe(true);
});

test('1,000 steps leave the memory where step 100 left it', async () => {
  const messages = await inProcess(await specOf('tiny-llama', 'full', { epochs: 200, max_steps: 1000 }), null);
  const rss = messages.flatMap((message) => (message.rss === undefined ? [] : [message.rss / 1e6]));
  const around = (step: number): number => Math.min(...rss.slice(step - 50, step));
  expect(rss).toHaveLength(1000);
  expect(around(1000) - around(100)).toBeLessThan(10);
});
