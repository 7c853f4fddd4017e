// A process of its own for each import: a tensor of a large model takes hundreds of MB, which the service would not give back. It reads one folder, writes
// another and knows nothing of the fleet. Its parent's channel closing ends it.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isAdapterFile, isGgufFile, isModelFile } from '@tunefleet/contracts';
import { ModelFormatError } from '@tunefleet/model-formats';
import { convertGguf } from '@tunefleet/model-import';
import { TextTokenizer, TokenizationError } from '@tunefleet/tokenization';
import { describeAdapter, describeFolder } from './domain/describe-folder.js';
import { fileSha256 } from './domain/file-hash.js';
import type { ConvertedFile, ImportJob, ImportMessage } from './import-messages.js';

const send = (message: ImportMessage): void => void process.send?.(message);

async function convert({ input, base, output }: ImportJob): Promise<void> {
  let step = 0;
  const progress = (): void => send({ type: 'progress', done: ++step });
  const given = await readdir(input);
  const gguf = base === null ? given.find(isGgufFile) : undefined;
  if (gguf !== undefined) await convertGguf(join(input, gguf), output, progress);
  const folder = gguf === undefined ? input : output;
  const described = base ? await describeAdapter(folder, base) : await describeFolder(folder);
  progress();
  // An adapter has a tokenizer of its own where it came with added tokens.
  await TextTokenizer.load(base && !given.includes('tokenizer.json') ? base.folder : folder);
  const files: ConvertedFile[] = [];
  for (const path of (await readdir(folder)).filter((name) => isModelFile(name) || (base && isAdapterFile(name))).sort()) {
    const file = join(folder, path);
    files.push({ file, path, sha256: await fileSha256(file), bytes: (await stat(file)).size });
    progress();
  }
  send({ type: 'done', described, files });
}

/** Null where the fault is not the files'. */
function faultOf(error: unknown): ImportMessage | null {
  if (!(error instanceof ModelFormatError || error instanceof TokenizationError)) return null;
  const { code, message } = error;
  if (code === 'not_supported') return { type: 'fault', code, message };
  return { type: 'fault', code: 'invalid_model', message: `${message} (${code})` };
}

process.once('disconnect', () => process.exit(1));
process.once('message', (job: ImportJob) => {
  convert(job).then(
    () => process.disconnect(),
    (error: unknown) => {
      const fault = faultOf(error);
      if (!fault) throw error;
      send(fault);
      process.disconnect();
    },
  );
});
