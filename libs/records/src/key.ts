/** KV keys allow `[-/=.\w]`, subjects split at `.`: everything but `[-\w]` becomes `=` and two hex digits a UTF-8 byte. One token, reversible. */
export const encodeKey = (id: string): string =>
  id.replace(/[^-\w]/gu, (character) => [...Buffer.from(character)].map((byte) => `=${byte.toString(16).padStart(2, '0')}`).join(''));

export const decodeKey = (key: string): string =>
  Buffer.from(
    key.replace(/=([0-9a-f]{2})|([^=]+)/g, (_, hex: string | undefined, plain: string) => hex ?? Buffer.from(plain).toString('hex')),
    'hex',
  ).toString();
