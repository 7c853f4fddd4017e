/**
 * Where merges may not reach across: contractions, words with the space or underscore before them (so that the parts of an identifier
 * such as `card_arrival` are words), single digits, marks, white space. GPT-2's pattern but for the underscore and the digits.
 */
export const PIECE_PATTERN = "'(?:[sdmt]|ll|ve|re)|[ _]?\\p{L}+| ?\\p{N}| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** The pieces of a text, in order; together they are the text. */
export const piecesOf = (text: string): string[] => text.match(new RegExp(PIECE_PATTERN, 'gu')) ?? [];

/**
 * The printable character that stands for each byte in a byte-level vocabulary (GPT-2): printable Latin-1 for itself, the others from
 * U+0100 on in order.
 */
export const BYTE_CHARACTERS: readonly string[] = byteCharacters();

function byteCharacters(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(printable ? byte : next++);
  });
}

/** A piece in those characters, one a byte of its UTF-8. */
export const byteLevel = (piece: string): string => Array.from(Buffer.from(piece, 'utf8'), (byte) => BYTE_CHARACTERS[byte]).join('');
