// A process of its own for each import: a tensor of a large model takes hundreds of MB, which the service would not give back. It reads one folder, writes
// another and knows nothing of the fleet. Its parent's channel closing ends it.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isGgufFile, isModelFile } from '@tunefleet/contracts';
import { ModelFormatError } from '@tunefleet/model-formats';
import { convertGguf, mergeAdapter } from '@tunefleet/model-import';
import { TextTokenizer, TokenizationError } from '@tunefleet/tokenization';
import { describeFolder } from './domain/describe-folder.js';
import { fileSha256 } from './domain/file-hash.js';
import type { ConvertedFile, ImportJob, ImportMessage } from './import-messages.js';

const send = (message: ImportMessage): void => void process.send?.(message);

async function convert({ input, base, output }: ImportJob): Promise<void> {
  let step = 0;
  const progress = (): void => send({ type: 'progress', done: ++step });
  const gguf = (await readdir(input)).find(isGgufFile);
  if (base !== null) await mergeAdapter(base, input, output, progress);
  else if (gguf !== undefined) await convertGguf(join(input, gguf), output, progress);
  const folder = base === null && gguf === undefined ? input : output;
  const described = await describeFolder(folder);
  progress();
  await TextTokenizer.load(folder);
  const files: ConvertedFile[] = [];
  for (const path of (await readdir(folder)).filter(isModelFile).sort()) {
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
