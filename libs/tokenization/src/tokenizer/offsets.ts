/** Offsets that count code points (what the native library gives), turned into offsets that count UTF-16 units (what JavaScript's strings have). */
export function utf16Offsets(text: string, offsets: readonly (readonly number[])[]): [number, number][] {
  const units = unitsOfCodePoints(text);
  const at = (codePoint: number) => (units ? (units[codePoint] ?? text.length) : codePoint);
  return offsets.map(([start, end]) => [at(start!), at(end!)]);
}

/** The UTF-16 offset of each code point; null where they are the same. */
function unitsOfCodePoints(text: string): number[] | null {
  if (!/[\ud800-\udbff]/.test(text)) return null;
  const units: number[] = [];
  let unit = 0;
  for (const character of text) {
    units.push(unit);
    unit += character.length;
  }
  units.push(unit);
  return units;
}
