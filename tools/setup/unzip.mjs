import { inflateRawSync } from 'node:zlib';

const END = 0x06054b50; // end of central directory
const ENTRY = 0x02014b50; // one entry of it

/**
 * The entries of a zip whose name `wanted` accepts, one after another. Reads the central directory, stored and deflated
 * entries; no zip64: what this opens has a pinned sha256 and is far below 4 GiB.
 * @param {Buffer} zip
 * @param {(name: string) => boolean} wanted
 * @returns {Generator<{name: string, bytes: Buffer}>}
 */
export function* unzipEntries(zip, wanted) {
  let end = zip.length - 22;
  while (end >= 0 && zip.readUInt32LE(end) !== END) end -= 1;
  if (end < 0) throw new Error('not a zip file');
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left -= 1) {
    if (zip.readUInt32LE(at) !== ENTRY) throw new Error('damaged zip directory');
    const method = zip.readUInt16LE(at + 10);
    const [packed, size] = [zip.readUInt32LE(at + 20), zip.readUInt32LE(at + 24)];
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) => zip.readUInt16LE(at + offset));
    const name = zip.toString('utf8', at + 46, at + 46 + nameLength);
    if (wanted(name)) {
      const local = zip.readUInt32LE(at + 42);
      const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      const bytes = zip.subarray(start, start + packed);
      if (method !== 0 && method !== 8) throw new Error(`zip method ${method} of ${name} is not supported`);
      yield { name, bytes: method === 0 ? bytes : inflateRawSync(bytes, { maxOutputLength: size }) };
    }
    at += 46 + nameLength + extraLength + commentLength;
  }
}

/**
 * The bytes of the first entry that `wanted` accepts.
 * @param {Buffer} zip
 * @param {(name: string) => boolean} wanted
 * @returns {Buffer}
 */
export const unzipEntry = (zip, wanted) => {
  for (const { bytes } of unzipEntries(zip, wanted)) return bytes;
  throw new Error('no such entry in the zip file');
};
