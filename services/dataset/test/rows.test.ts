import { expect, test } from '@jest/globals';
import { faultText, fileSummary, publicFault } from '../src/domain/files.js';
import type { FileRecord, RowFault } from '../src/store/schemas.js';
import { boundFaults } from '../src/work/check-rows.js';
import { checkEvalRows } from '../src/work/eval-rows.js';

const fault = (line: number, message = 'expected text'): RowFault => ({ line, column: 3, code: 'invalid_content', message });

test('status_details names the first faults and counts the rest', () => {
  const data = Array.from({ length: 7 }, (_, i) => fault(i + 1));
  expect(faultText({ faults: { invalid_content: 1 }, data: data.slice(0, 1) })).toBe('Line 1, column 3: expected text (invalid_content).');
  expect(faultText({ faults: { invalid_content: 40, invalid_json: 2 }, data })).toMatch(/Line 5, column 3: .*\. 37 more; see GET/);
});

test('faults fit into a record, however long their messages are', () => {
  const bounded = boundFaults(Array.from({ length: 500 }, (_, i) => fault(i, '字'.repeat(5000))));
  expect(Buffer.byteLength(JSON.stringify(bounded))).toBeLessThan(34 * 1024);
  expect(bounded.length).toBeGreaterThan(20);
  expect(boundFaults(Array.from({ length: 500 }, (_, i) => fault(i)))).toHaveLength(100);
});

test('codes that leave the service stand in the public table', () => {
  expect(publicFault({ code: 'mixed_rows' })).toEqual({ code: 'mixed_formats' });
  expect(publicFault({ code: 'something_new' })).toEqual({ code: 'invalid_row' });
  expect(publicFault({ code: 'special_token' })).toEqual({ code: 'special_token' });
});

test('a file in error has a fault even where no row was seen', () => {
  const file = { id: 'file-1', filename: 'f', purpose: 'fine-tune', bytes: 1, sha256: 's', report: null } as FileRecord;
  expect(fileSummary({ ...file, status: 'error', status_details: 'gone' }).fault).toEqual({
    code: 'invalid_row',
    message: 'gone',
    line: null,
    column: null,
  });
  expect(fileSummary({ ...file, status: 'processed', status_details: null }).fault).toBeNull();
});

async function* cut(text: string | Buffer, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text as string);
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}

test.each([1, 3, 1000])('eval rows, in chunks of %i bytes', async (size) => {
  const report = await checkEvalRows(cut('{"item":{"a":"ä"}}\r\n\n{"item":1}\n[1]\nnope\n{"item":{}}', size));
  expect(report).toMatchObject({ rows: 5, faults: { invalid_row: 2, invalid_json: 1 } });
  expect(report.data.map(({ line, code }) => [line, code])).toEqual([
    [3, 'invalid_row'],
    [4, 'invalid_row'],
    [5, 'invalid_json'],
  ]);
  expect(await checkEvalRows(cut(' \n', size))).toMatchObject({ rows: 0, faults: { empty_file: 1 } });
  expect(await checkEvalRows(cut(Buffer.from([0x22, 0xff, 0x22]), size))).toMatchObject({ faults: { invalid_encoding: 1 } });
});

test('an eval row over 4 MiB is a fault and is not kept in memory', async () => {
  const report = await checkEvalRows(cut(`${'x'.repeat(4 * 1024 * 1024 + 1)}\n{"item":{}}\n`, 65_536));
  expect(report).toMatchObject({ rows: 2, faults: { row_too_large: 1 } });
});
