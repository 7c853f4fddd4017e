import { beforeAll, describe, expect, test } from '@jest/globals';
import { openai, raw } from '../harness/client.js';
import { chatRows, smallJob, upload } from '../harness/data.js';
import { coversInventory } from '../harness/inventory.js';

const client = openai();
let file = '';

beforeAll(async () => {
  file = (await upload(client, chatRows(48))).id;
});

describe('an estimate', () => {
  interface Estimate {
    tokens: number;
    steps: number;
    seconds: number;
    peak_memory_bytes: number;
  }
  const estimate = (changes: object = {}) => raw('POST', '/fine_tuning/estimate', { ...smallJob(file), ...changes });

  test('says tokens, steps, time and memory, and creates nothing', async () => {
    const before = (await client.fineTuning.jobs.list({ limit: 1 })).data[0]?.id;
    const { status, body } = await estimate();
    expect([status, body]).toEqual([
      200,
      {
        object: 'fine_tuning.estimate',
        tokens: expect.any(Number),
        truncated_rows: 0,
        steps: 12,
        seconds: expect.any(Number),
        peak_memory_bytes: expect.any(Number),
        cost: null,
        error: { seconds: expect.any(Number), peak_memory_bytes: expect.any(Number) },
      },
    ]);
    const found = body as unknown as Estimate;
    expect(found.tokens).toBeGreaterThan(48);
    expect(found.seconds).toBeGreaterThan(0);
    expect(found.peak_memory_bytes).toBeGreaterThan(100e6);
    expect((await client.fineTuning.jobs.list({ limit: 1 })).data[0]?.id).toBe(before);
  });

  test('is answered for classifiers too: a frozen backbone needs least', async () => {
    const labelled = Array.from({ length: 40 }, (_, row) => JSON.stringify({ text: `row number ${row}`, label: row % 2 ? 'odd' : 'even' }));
    const rows = (await upload(client, labelled.join('\n'))).id;
    const needs = async (settings: object): Promise<number> => {
      const { status, body } = await estimate({ training_file: rows, tunefleet: { task: 'classification', ...settings } });
      expect([status, body]).toMatchObject([200, { seconds: expect.any(Number), tokens: expect.any(Number) }]);
      return (body as unknown as Estimate).peak_memory_bytes;
    };
    const [whole, adapted, frozen] = [
      await needs({}),
      await needs({ adapter: { type: 'lora' } }),
      await needs({ freeze: { backbone: true } }),
    ];
    expect(frozen).toBeLessThan(whole);
    expect(adapted).toBeLessThan(whole);
  });

  test('is refused as the job would be', async () => {
    expect((await estimate({ training_file: 'file-none' })).body).toMatchObject({
      error: { code: 'file_not_found', param: 'training_file' },
    });
    expect((await estimate({ nonsense: 1 })).body).toMatchObject({ error: { code: 'unknown_parameter', param: 'nonsense' } });
  });
});

coversInventory('estimates.test.ts');
