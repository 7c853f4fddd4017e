import { createReadStream, existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type OpenAI from 'openai';
import type { Tunefleet } from '../../tunefleet.js';
import { connect, type Define } from '../context.js';
import { EXIT, usage } from '../failure.js';
import { bytes, fields, table, time } from '../text.js';
import { wholeNumber } from '../values.js';

type File = OpenAI.FileObject;

const POLL_MS = 250;

const fileText = (file: File): string =>
  fields({
    id: file.id,
    filename: file.filename,
    purpose: file.purpose,
    bytes: file.bytes,
    status: file.status,
    created: time(file.created_at),
    ...(file.expires_at === undefined ? {} : { expires: time(file.expires_at) }),
    ...(file.status_details === undefined ? {} : { details: file.status_details }),
  });

const upload = (fleet: Tunefleet, path: string, purpose: string, expires?: number): Promise<File> =>
  fleet.openai.files.create({
    file: createReadStream(path),
    purpose: purpose as OpenAI.FilePurpose,
    ...(expires === undefined ? {} : { expires_after: { anchor: 'created_at', seconds: expires } }),
  });

/** The id of a file of the fleet: as given, or of the local file that is uploaded for it. */
export async function fileId(fleet: Tunefleet, given: string, purpose: string): Promise<string> {
  if (given.startsWith('file-') && !existsSync(given)) return given;
  if (!existsSync(given)) throw usage(`there is no file '${given}' here, and it is no id of one (file-...)`, 'give a path or an id');
  const { id } = await upload(fleet, given, purpose);
  process.stderr.write(`uploaded ${given} as ${id}\n`);
  return id;
}

async function checked(fleet: Tunefleet, file: File): Promise<File> {
  let now = file;
  while (now.status === 'uploaded') {
    await sleep(POLL_MS);
    now = await fleet.openai.files.retrieve(file.id);
  }
  return now;
}

export function fileCommands(program: Command, define: Define): void {
  const files = program.command('files').description('training and evaluation data');

  define(
    files
      .command('upload <path>')
      .description('upload a JSONL file; its rows are then checked one by one')
      .option('--purpose <purpose>', 'fine-tune, evals, ...', 'fine-tune')
      .option('--expires-after <seconds>', 'seconds from now until it is deleted', wholeNumber)
      .option('--wait', 'wait until its rows are checked; exit 1 if there are faults'),
    async (path: string, options: { purpose: string; expiresAfter?: number; wait?: boolean }) => {
      const fleet = connect();
      if (!existsSync(path)) throw usage(`there is no file '${path}'`, 'give the path of a file that is there');
      const file = await upload(fleet, path, options.purpose, options.expiresAfter);
      const object = options.wait ? await checked(fleet, file) : file;
      return { object, text: fileText(object), ...(object.status === 'error' ? { exit: EXIT.failed } : {}) };
    },
  );

  define(
    files
      .command('list', { isDefault: true })
      .description('the files of the project, newest first')
      .option('--purpose <purpose>', 'only these')
      .option('--limit <n>', 'at most this many', wholeNumber, 100)
      .option('--after <id>', 'those behind this one'),
    async (query: { purpose?: string; limit: number; after?: string }) => {
      const object = await connect().list<File>('/files', query);
      const rows = object.data.map((f) => [f.id, f.status, f.purpose, bytes(f.bytes), time(f.created_at), f.filename]);
      return { object, text: table(['ID', 'STATUS', 'PURPOSE', 'SIZE', 'CREATED', 'FILENAME'], rows) };
    },
  );

  define(files.command('get <id>').description('one file'), async (id: string) => {
    const object = await connect().openai.files.retrieve(id);
    return { object, text: fileText(object) };
  });

  define(files.command('delete <id>').description('delete a file'), async (id: string) => {
    const object = await connect().openai.files.delete(id);
    return { object, text: `deleted ${id}` };
  });

  define(files.command('validation <id>').description('which rows are at fault, with line and column'), async (id: string) => {
    const object = await connect().files.validation(id);
    const counts = Object.entries(object.faults).map(([code, count]) => `${count} x ${code}`);
    const head = fields({ status: object.status, rows: object.rows, faults: counts.join(', ') || 'none' });
    const faults = object.data.map((f) => [f.line, f.column, f.code, f.message]);
    return { object, text: faults.length === 0 ? head : `${head}\n\n${table(['LINE', 'COLUMN', 'CODE', 'MESSAGE'], faults)}` };
  });
}
