/** One line of a file, without its line feed; `bytes` is null where the line is longer than allowed. */
export interface Line {
  /** Counts from 1. */
  number: number;
  bytes: Uint8Array | null;
}

const LINE_FEED = 0x0a;

/**
 * The lines of a stream of bytes, holding one line at most. A line over `maxBytes` is passed over without being kept. A line feed at the very end
 * begins no further line.
 */
export async function* readLines(source: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Line> {
  let number = 1;
  let parts: Uint8Array[] = [];
  let length = 0;
  const take = (): Line => {
    const line = { number, bytes: length > maxBytes ? null : joined(parts, length) };
    number += 1;
    parts = [];
    length = 0;
    return line;
  };
  const keep = (part: Uint8Array) => {
    length += part.length;
    if (length > maxBytes) parts = [];
    else if (part.length > 0) parts.push(part);
  };
  for await (const chunk of source) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      keep(chunk.subarray(start, end));
      yield take();
      start = end + 1;
    }
    // A copy: the source may fill its buffer again.
    keep(chunk.slice(start));
  }
  if (length > 0) yield take();
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
