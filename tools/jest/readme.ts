import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The program under a heading of a README: its first block of JavaScript. */
const programUnder = (text: string, heading: string): string => {
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`));
  const program = section && /^```js\n(.*?)^```/ms.exec(section)?.[1];
  if (!program) throw new Error(`no program stands under "## ${heading}"`);
  return program;
};

/** Runs that program as a reader would, with the package's own imports; returns its lines of code and what it printed. */
export const runReadme = async (folder: string, heading: string, args: readonly string[]): Promise<{ lines: number; printed: string }> => {
  const program = programUnder(await readFile(join(folder, 'README.md'), 'utf8'), heading);
  // Within the package, so that its imports are found.
  const place = join(folder, 'dist/readme', heading.replace(/\W+/g, '-'));
  await mkdir(place, { recursive: true });
  try {
    await writeFile(join(place, 'program.mjs'), program);
    const { stdout } = await run(process.execPath, [join(place, 'program.mjs'), ...args], { maxBuffer: 1 << 26 });
    return { lines: program.trimEnd().split('\n').length, printed: stdout };
  } finally {
    await rm(place, { recursive: true });
  }
};
