const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder('utf-8', { ignoreBOM: true });

/** The text of UTF-8 bytes, or the column (code points from 1) of the first byte that is none. */
export function decodeUtf8(bytes: Uint8Array): { text: string } | { column: number } {
  try {
    return { text: decoder.decode(bytes) };
  } catch {
    return { column: firstInvalidColumn(bytes) };
  }
}

/** A file whose first bytes are a UTF-16 or UTF-32 byte-order mark, or that has a NUL in its first characters as UTF-16 text in Latin letters does. */
export function looksLikeUtf16(start: Uint8Array): boolean {
  const [a, b] = start;
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) return true;
  return start.length >= 2 && (a === 0) !== (b === 0);
}

/** Code points before a UTF-16 offset, plus one. */
export function columnAt(text: string, offset: number): number {
  let column = 1;
  for (let at = 0; at < offset; at += text.codePointAt(at)! > 0xffff ? 2 : 1) column += 1;
  return column;
}

function firstInvalidColumn(bytes: Uint8Array): number {
  const text = lenient.decode(bytes);
  let column = 0;
  let byte = 0;
  for (const character of text) {
    column += 1;
    const genuine = bytes[byte] === 0xef && bytes[byte + 1] === 0xbf && bytes[byte + 2] === 0xbd;
    if (character === '\ufffd' && !genuine) return column;
    byte += Buffer.byteLength(character);
  }
  return column;
}
