import { deflateRawSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import { unzipEntry } from '../unzip.mjs';

const entry = (name: string, content: Buffer, deflated: boolean): { local: Buffer; central: (at: number) => Buffer } => {
  const packed = deflated ? deflateRawSync(content) : content;
  const method = deflated ? 8 : 0;
  const local = Buffer.alloc(30 + name.length);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(name.length, 26);
  local.write(name, 30);
  const central = (at: number): Buffer => {
    const record = Buffer.alloc(46 + name.length);
    record.writeUInt32LE(0x02014b50, 0);
    record.writeUInt16LE(method, 10);
    record.writeUInt32LE(packed.length, 20);
    record.writeUInt32LE(content.length, 24);
    record.writeUInt16LE(name.length, 28);
    record.writeUInt32LE(at, 42);
    record.write(name, 46);
    return record;
  };
  return { local: Buffer.concat([local, packed]), central };
};

const zip = (): Buffer => {
  const first = entry('a.txt', Buffer.from('stored'), false);
  const second = entry('b/server', Buffer.from('deflated '.repeat(100)), true);
  const directory = Buffer.concat([first.central(0), second.central(first.local.length)]);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(2, 10);
  end.writeUInt32LE(first.local.length + second.local.length, 16);
  return Buffer.concat([first.local, second.local, directory, end]);
};

test('stored and deflated entries of a zip are read', () => {
  expect(unzipEntry(zip(), (name) => name === 'a.txt').toString()).toBe('stored');
  expect(unzipEntry(zip(), (name) => name.endsWith('/server')).toString()).toBe('deflated '.repeat(100));
});

test('what is no zip, or lacks the entry, is an error', () => {
  expect(() => unzipEntry(Buffer.alloc(100), () => true)).toThrow('not a zip');
  expect(() => unzipEntry(zip(), () => false)).toThrow('no such entry');
});
