import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals';
import { connect } from '@tunefleet/messaging';
import { openRecords } from '@tunefleet/records';
import { NATS_MISSING, type NatsTestServer, natsServerPath, startNatsServer } from '../../../tools/jest/servers.js';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { addEvent, isFinished, summarize } from '../src/index.js';
import { newWork } from '../src/life.js';
import { Job, newJob, quiet, type Row, until } from './fixture.js';

const present = natsServerPath() !== undefined;
const test = skipUnless(present, NATS_MISSING);
const PROCESSES = new URL('./processes/', import.meta.url).pathname;

let nats: NatsTestServer;
const alive = new Map<string, ChildProcess>();

beforeAll(async () => {
  if (!present) return;
  nats = await startNatsServer();
});
afterEach(() => {
  for (const child of alive.values()) child.kill('SIGKILL');
  alive.clear();
});
afterAll(async () => {
  await nats?.close();
});

async function start(name: string, env: NodeJS.ProcessEnv): Promise<void> {
  const child = fork(join(PROCESSES, `${name.split('-')[0]}.mjs`), {
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    execArgv: [],
    silent: false,
  });
  alive.set(name, child);
  await Promise.race([once(child, 'message'), once(child, 'exit')]);
}

async function kill(name: string): Promise<void> {
  const child = alive.get(name);
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

/** Numbers in [0, 1) from a seed (mulberry32), so that a failing run can be repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Victim = 'worker' | 'owner' | 'nats' | 'all';
const CASES: [Victim[], number, number][] = [
  [['worker'], 1, 3],
  [['owner'], 2, 3],
  [['nats'], 3, 3],
  [['all'], 4, 1],
  [['worker', 'owner', 'nats', 'all'], 5, 4],
];

test.each(CASES)(
  'kill -9 of %j again and again (seed %i): each job ends once, effects once, events complete and unrepeated',
  async (victims, seed, kills) => {
    const next = random(seed);
    const queue = `kill-${seed}`;
    const effects = mkdtempSync(join(tmpdir(), 'tunefleet-kill-'));
    const env = { NATS_URL: nats.url, QUEUE: queue, SLOTS: '4', EFFECTS: effects };
    const names = ['owner-1', 'owner-2', 'worker-1', 'worker-2'];
    await Promise.all(names.map((name) => start(name, env)));
    const bus = await connect({ url: nats.url, name: 'trainer', logger: quiet });
    const records = await openRecords<Job, Row>(bus, {
      bucket: 'trainer',
      prefix: queue,
      schema: Job,
      project: ({ id, project, work }) => ({ id, project, work: summarize(work) }),
    });
    const ids = Array.from({ length: 12 }, (_, index) => `job-${seed}-${index}`);
    // What `submit` writes; the owners find it by their watch. Some records come while things die.
    const create = async (id: string) => {
      const work = newWork(queue, 'train', 0, 'validating_files');
      await records.create(addEvent({ ...newJob(id, `p${ids.indexOf(id) % 3}`), work }, 'created', { message: 'created' }));
    };
    const creating = (async () => {
      for (const id of ids) {
        for (let made = false; !made; )
          made = await create(id).then(
            () => true,
            () => false,
          );
        await sleep(40);
      }
    })();
    for (let round = 0; round < kills; round++) {
      await sleep(100 + next() * 500);
      const victim = victims[Math.floor(next() * victims.length)]!;
      const dying =
        victim === 'all'
          ? names
          : victim === 'nats'
            ? []
            : names.filter((name) => name.startsWith(victim) && (next() < 0.7 || name.endsWith('1')));
      if (victim === 'nats' || victim === 'all') await nats.kill();
      await Promise.all(dying.map(kill));
      await sleep(next() * 200);
      if (victim === 'nats' || victim === 'all') await nats.start();
      await Promise.all(dying.map((name) => start(name, env)));
    }
    await creating;
    const states = async () => Promise.all(ids.map(async (id) => (await records.get(id))?.value.work.state ?? 'absent'));
    await until(states, (all) => all.every((state) => state !== 'absent' && isFinished(state)), 30_000);
    for (const id of ids) {
      const { work, result } = (await records.get(id))!.value;
      expect([id, work.state]).toEqual([id, 'succeeded']);
      // The effect is that of the attempt whose completion was accepted, and of no other.
      expect(readFileSync(join(effects, `${id}.effect`), 'utf8')).toBe(`${work.attempt} ${result}`);
      const rows = new Set(
        readFileSync(join(effects, `${id}.rows`), 'utf8')
          .trim()
          .split('\n')
          .map(Number),
      );
      expect([...rows].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      const messages = work.events.map(({ message }) => message);
      expect(new Set(messages).size).toBe(messages.length);
      expect(new Set(work.events.map((event) => event.id)).size).toBe(messages.length);
      expect(messages.filter((message) => !message.startsWith('lost'))).toEqual(['created', 'queued', 'started', 'succeeded']);
      expect(messages.filter((message) => message.startsWith('lost'))).toHaveLength(work.attempt - 1);
      expect(work.completing).toBeNull();
    }
    records.close();
    await bus.drain();
    rmSync(effects, { recursive: true });
  },
  60_000,
);
