type Cell = string | number | boolean | null | undefined;

/** Control characters of a server's or user's text would move the cursor or recolour the terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
export const printable = (text: string): string => text.replace(CONTROL, '\uFFFD');

const cellText = (cell: Cell): string => (cell === null || cell === undefined ? '-' : printable(String(cell)).replace(/[\n\t]/g, ' '));

/** Columns padded to their widest cell; `-` for what is not there. */
export function table(head: string[], rows: Cell[][]): string {
  if (rows.length === 0) return '(none)';
  const lines = [head, ...rows.map((row) => row.map(cellText))];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `key  value` lines. */
export function fields(pairs: Record<string, Cell>): string {
  const width = Math.max(...Object.keys(pairs).map((key) => key.length));
  return Object.entries(pairs)
    .map(([key, value]) => `${key.padEnd(width)}  ${value === null || value === undefined ? '-' : printable(String(value))}`)
    .join('\n');
}

/** Unix seconds as UTC to the second. */
export const time = (seconds: number | null | undefined): string =>
  seconds === null || seconds === undefined ? '-' : `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;

/** 75 -> `1m 15s`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60] as const;
  if (parts[0] > 0) return `${parts[0]}h ${parts[1]}m`;
  return parts[1] > 0 ? `${parts[1]}m ${parts[2]}s` : `${parts[2]}s`;
}

const UNITS = ['B', 'kB', 'MB', 'GB'];
export function bytes(count: number): string {
  const power = Math.min(UNITS.length - 1, count < 1000 ? 0 : Math.floor(Math.log10(count) / 3));
  return `${power === 0 ? count : (count / 1000 ** power).toFixed(1)} ${UNITS[power]}`;
}

export const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
