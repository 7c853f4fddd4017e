import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { extract } from 'tar-stream';
import { connect, type Define } from '../context.js';
import { usage } from '../failure.js';

interface Options {
  format: string;
  out: string;
}

export function exportCommand(program: Command, define: Define): void {
  define(
    program
      .command('export <model>')
      .description('a model as files: an adapter in PEFT form, or weights that need no adapter')
      .requiredOption('--format <format>', 'peft or merged')
      .requiredOption('--out <path>', 'a .tar file, or a folder that is new or empty'),
    async (model: string, { format, out }: Options) => {
      const tar = out.endsWith('.tar');
      if (!tar) await mustBeEmpty(out);
      const body = Readable.fromWeb((await connect().models.export(model, format)) as Parameters<typeof Readable.fromWeb>[0]);
      const files = tar ? await save(body, out) : await unpack(body, out);
      return { object: { model, format, out, files }, text: `${files.join('\n')}\n${model} -> ${out}` };
    },
  );
}

async function mustBeEmpty(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw usage(`'${folder}' is no folder`, '--out is a file that ends in .tar, or a folder that is new or empty');
  });
  if (names.length > 0) throw usage(`the folder '${folder}' is not empty`, 'choose another --out');
}

async function save(body: Readable, file: string): Promise<string[]> {
  try {
    await pipeline(body, createWriteStream(file, { flags: 'wx' }));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw usage(`'${file}' exists`, 'choose another --out');
    await rm(file, { force: true });
    throw error;
  }
  return [basename(file)];
}

/** Files of the archive into a folder; its names are plain ones, so that none leads out of it. */
async function unpack(body: Readable, folder: string): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const files: string[] = [];
  const archive = extract();
  const reading = pipeline(body, archive);
  const writing = (async () => {
    for await (const entry of archive) {
      const { name } = entry.header;
      if (name !== basename(name) || name === '..') throw new Error(`the archive names '${name}', which is no plain file`);
      await pipeline(entry, createWriteStream(join(folder, name), { flags: 'wx' }));
      files.push(name);
    }
  })();
  await Promise.all([reading, writing]);
  return files;
}
