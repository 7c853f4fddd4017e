import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { type Bus, connect } from '@tunefleet/messaging';
import Type from 'typebox';
import { NATS_MISSING, type NatsTestServer, natsServerPath, startNatsServer } from '../../../tools/jest/servers.js';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { createOnce, decodeKey, encodeKey, openRecords, type Records } from '../src/index.js';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const Thing = Type.Object({
  id: Type.String(),
  project: Type.String(),
  created_at: Type.Integer(),
  schema: Type.Literal(2),
  count: Type.Integer(),
  note: Type.String(),
});
type Thing = Type.Static<typeof Thing>;
type Row = { id: string; count: number };
const thing = (id: string, created_at = 100, project = 'default'): Thing => ({ id, project, created_at, schema: 2, count: 0, note: '' });

const present = natsServerPath() !== undefined;
const test = skipUnless(present, NATS_MISSING);
let nats: NatsTestServer;
let bus: Bus;
let other: Bus;
const opened: Records<Thing, Row>[] = [];
const open = async (on: Bus, bucket: string, prefix = 'thing') => {
  const records = await openRecords<Thing, Row>(on, {
    bucket,
    prefix,
    schema: Thing,
    upgrade: (old) => ({ ...(old as Omit<Thing, 'note'>), note: 'upgraded', schema: 2 }),
    project: ({ id, count }) => ({ id, count }),
  });
  opened.push(records);
  return records;
};
const until = async (holds: () => boolean, ms = 5000) => {
  for (const end = Date.now() + ms; !holds(); await sleep(5)) if (Date.now() > end) throw new Error('waited in vain');
};

beforeAll(async () => {
  if (!present) return;
  nats = await startNatsServer();
  bus = await connect({ url: nats.url, name: 'trainer', logger: quiet });
  other = await connect({ url: nats.url, name: 'trainer', logger: quiet });
});
afterAll(async () => {
  for (const records of opened) records.close();
  await Promise.all([bus?.drain(), other?.drain()]);
  await nats?.close();
});

test.each(['file-a_1', 'ft:tunefleet-base:default:a.b:x', 'a/b=c d', 'Zoë ✓', '*.>'])('id %s makes one token and comes back', (id) => {
  expect(encodeKey(id)).toMatch(/^[-=\w]+$/);
  expect(decodeKey(encodeKey(id))).toBe(id);
});

test('create, get, update, delete; lists are exact at once', async () => {
  const records = await open(bus, 'basic');
  const id = 'ft:tunefleet-base:default:a.b:x';
  expect(await records.create(thing(id))).toMatchObject({ value: { id }, created: true });
  expect(records.list({ project: 'default', limit: 10, order: 'desc' }).items).toEqual([{ id, count: 0 }]);
  expect(await records.create({ ...thing(id), count: 9 })).toMatchObject({ value: { count: 0 }, created: false });
  await records.update(id, (value) => ({ ...value, count: value.count + 1 }));
  expect((await records.get(id))?.value.count).toBe(1);
  expect(records.find(id)?.count).toBe(1);
  const { revision } = await records.update(id, () => null);
  expect((await records.get(id))?.revision).toBe(revision);
  await records.delete(id);
  await records.delete(id);
  expect(await records.get(id)).toBeNull();
  expect(records.list({ project: 'default', limit: 10, order: 'desc' }).items).toEqual([]);
  await expect(records.update(id, (value) => value)).rejects.toMatchObject({ code: 'not_found' });
  expect(await records.create(thing(id))).toMatchObject({ created: true });
});

test('pages are stable, ordered by (created_at, id), apart by project; a deleted `after` still works, an unknown one is a 400', async () => {
  const records = await open(bus, 'lists');
  const made = [...'hbcadgfe'].map((letter, index) => thing(`x-${letter}`, 100 + (index >> 1)));
  for (const value of made) await records.create(value);
  await records.create(thing('y-foreign', 103, 'another'));
  const ascending = ['x-b', 'x-h', 'x-a', 'x-c', 'x-d', 'x-g', 'x-e', 'x-f'];
  const page = (query: { after?: string; order: 'asc' | 'desc'; limit: number }) => {
    const { items, has_more } = records.list({ project: 'default', ...query });
    return { ids: items.map(({ id }) => id), has_more };
  };
  expect(page({ order: 'asc', limit: 8 })).toEqual({ ids: ascending, has_more: false });
  expect(page({ order: 'desc', limit: 3 })).toEqual({ ids: ['x-f', 'x-e', 'x-g'], has_more: true });
  await records.create(thing('x-new', 200));
  await records.delete('x-g');
  expect(page({ order: 'desc', limit: 3, after: 'x-g' })).toEqual({ ids: ['x-d', 'x-c', 'x-a'], has_more: true });
  expect(page({ order: 'asc', limit: 3, after: 'x-e' })).toEqual({ ids: ['x-f', 'x-new'], has_more: false });
  const fresh = await open(other, 'lists');
  expect(fresh.list({ project: 'default', order: 'desc', limit: 1, after: 'x-g' }).items[0]?.id).toBe('x-d');
  for (const after of ['x-never', 'y-foreign'])
    expect(() => records.list({ project: 'default', order: 'asc', limit: 1, after })).toThrow(
      expect.objectContaining({ code: 'invalid_value', param: 'after' }),
    );
});

test('a hundred increments by two replicas at once all count, and both indexes converge', async () => {
  const [one, two] = [await open(bus, 'race'), await open(other, 'race')];
  await one.create(thing('x'));
  const increment = (records: typeof one) => records.update('x', (value) => ({ ...value, count: value.count + 1 }));
  await Promise.all(Array.from({ length: 100 }, (_, index) => increment(index % 2 ? one : two)));
  expect((await one.get('x'))?.value.count).toBe(100);
  await until(() => one.find('x')?.count === 100 && two.find('x')?.count === 100);
});

test('too large, not of the schema: refused; an old shape is upgraded; kinds in one bucket do not mix', async () => {
  const records = await open(bus, 'shapes');
  await expect(records.create({ ...thing('big'), note: 'x'.repeat(70_000) })).rejects.toMatchObject({ code: 'body_too_large' });
  await expect(records.create({ ...thing('odd'), count: 1.5 })).rejects.toThrow(/schema: \/count/);
  const kv = await bus.connection.jetstream().views.kv('shapes');
  const { note: _, ...old } = thing('old');
  await kv.put('thing.old', JSON.stringify({ ops: [], value: { ...old, schema: 1 } }));
  await until(() => records.find('old') !== null);
  expect((await records.get('old'))?.value).toMatchObject({ schema: 2, note: 'upgraded' });
  const second = await open(bus, 'shapes', 'other');
  await second.create(thing('old', 7));
  expect((await records.get('old'))?.value.created_at).toBe(100);
  expect([...second.all()]).toHaveLength(1);
});

test('kill -9 of nats-server amid increments: each acknowledged once, none doubled; the index is whole again within 3 s', async () => {
  const [one, two] = [await open(bus, 'crash'), await open(other, 'crash')];
  await one.create(thing('x'));
  await one.create(thing('gone'));
  let done = 0;
  let stop = false;
  const increment = async (records: typeof one) => {
    while (!stop) {
      await records.update('x', (value) => ({ ...value, count: value.count + 1 }));
      done++;
    }
  };
  const running = [increment(one), increment(two), increment(one)];
  for (let round = 0; round < 3; round++) {
    await sleep(200);
    const back = new Promise<void>((resolve) => bus.onReconnect(resolve));
    await (round === 1 ? nats.stop() : nats.kill());
    await sleep(100);
    expect(one.ready()).toBe(false);
    await nats.start();
    await back;
  }
  const started = Date.now();
  await until(() => one.ready() && two.ready());
  expect(Date.now() - started).toBeLessThan(3000);
  await sleep(300);
  stop = true;
  await Promise.all(running);
  expect((await one.get('x'))?.value.count).toBe(done);
  expect(done).toBeGreaterThan(20);
  await two.delete('gone');
  await until(() => one.find('gone') === null && two.find('x')?.count === done && one.find('x')?.count === done);
}, 30_000);

test('createOnce: a retry and a known Idempotency-Key find the first id, an equal new request does not', async () => {
  let minted = 0;
  const request = { project: 'p', keyId: 'k', method: 'POST', path: '/v1/x', bodyHash: 'h1', idempotencyKey: null, retryCount: 0 };
  const make = (change: object) =>
    createOnce(
      bus,
      { ...request, ...change },
      () => `id-${++minted}`,
      async (id, fresh) => `${id}${fresh ? ' fresh' : ''}`,
    );
  expect(await make({})).toBe('id-1 fresh');
  expect(await make({ retryCount: 1 })).toBe('id-1');
  expect(await make({})).toBe('id-2 fresh');
  expect(await make({ retryCount: 2 })).toBe('id-2');
  expect(await make({ retryCount: 1, keyId: 'k2' })).toBe('id-3 fresh');
  expect(await make({ idempotencyKey: 'a' })).toBe('id-4 fresh');
  expect(await make({ idempotencyKey: 'a', keyId: 'k2', retryCount: 1 })).toBe('id-4');
  await expect(make({ idempotencyKey: 'a', bodyHash: 'h2' })).rejects.toMatchObject({ code: 'idempotency_conflict', status: 422 });
  const many = await Promise.all(Array.from({ length: 20 }, () => make({ idempotencyKey: 'b' })));
  expect(new Set(many.map((answer) => answer.split(' ')[0])).size).toBe(1);
  expect(many.filter((answer) => answer.endsWith('fresh'))).toHaveLength(1);
});
