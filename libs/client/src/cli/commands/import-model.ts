import { createReadStream, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BaseModelObject, type BaseModelSource, isAdapterFile, isGgufFile, isModelFile, LIMITS } from '@tunefleet/contracts';
import type { Command } from 'commander';
import type { Tunefleet } from '../../tunefleet.js';
import { connect, type Define } from '../context.js';
import { EXIT, usage } from '../failure.js';
import { Display } from '../progress-line.js';
import { bytes, fields, time } from '../text.js';

const POLL_MS = 500;

export const baseModelText = ({ id, status, source, created_at, error }: BaseModelObject): string =>
  fields({ id, status, source: source.type, created: time(created_at), ...(error ? { error: `${error.message} (${error.code})` } : {}) });

/** The local files that make up a model: one GGUF file, or those of a Hugging Face folder. */
function localFiles(given: string): string[] {
  if (!statSync(given).isDirectory()) {
    if (isGgufFile(basename(given))) return [given];
    throw usage(`'${given}' is neither a folder nor a .gguf file`, 'give a Hugging Face folder, a GGUF file or hf:owner/name');
  }
  const all = readdirSync(given).sort();
  if (all.includes('adapter_config.json') && !all.includes('config.json')) return adapterFiles(given, all);
  const names = all.filter(isModelFile);
  if (!names.includes('config.json'))
    throw usage(`the folder '${given}' has no config.json`, 'give a Hugging Face folder of a model in safetensors');
  return names.map((name) => join(given, name));
}

/** An adapter with its tokenizer, where it has one. */
const adapterFiles = (folder: string, names: readonly string[]): string[] =>
  names.filter((name) => isAdapterFile(name) || (isModelFile(name) && name !== 'generation_config.json')).map((name) => join(folder, name));

function checkSizes(files: readonly string[]): void {
  for (const file of files) {
    const { size } = statSync(file);
    if (size > LIMITS.fileBytes)
      throw usage(
        `'${file}' has ${bytes(size)}; a file holds at most ${bytes(LIMITS.fileBytes)}`,
        'save the model in shards: save_pretrained(max_shard_size="400MB")',
      );
  }
}

async function uploadAll(fleet: Tunefleet, files: readonly string[], display: Display): Promise<{ file_id: string; path: string }[]> {
  const uploaded = [];
  for (const file of files) {
    display.show(`uploading ${basename(file)} (${bytes(statSync(file).size)})`);
    const { id } = await fleet.openai.files.create({ file: createReadStream(file), purpose: 'user_data' });
    uploaded.push({ file_id: id, path: basename(file) });
  }
  return uploaded;
}

async function finished(fleet: Tunefleet, started: BaseModelObject, display: Display): Promise<BaseModelObject> {
  let now = started;
  while (now.status === 'queued' || now.status === 'running') {
    display.show(now.status === 'queued' ? 'waiting' : 'converting and checking');
    await sleep(POLL_MS);
    now = await fleet.baseModels.get(started.id);
  }
  return now;
}

async function importModel(given: string, { name, revision, base }: { name: string; revision?: string; base?: string }) {
  const fleet = connect();
  const display = new Display();
  const hub = /^hf:(.+)$/.exec(given)?.[1];
  if (hub === undefined && revision !== undefined) throw usage('--revision is for hf:owner/name', 'leave it out');
  const files = hub === undefined ? localFiles(given) : [];
  checkSizes(files);
  const uploaded = await uploadAll(fleet, files, display);
  try {
    const source: BaseModelSource =
      hub === undefined ? { type: 'files', files: uploaded } : { type: 'hf', repo: hub, ...(revision === undefined ? {} : { revision }) };
    const object = await finished(fleet, await fleet.baseModels.create({ name, source, ...(base === undefined ? {} : { base }) }), display);
    return { object, text: baseModelText(object), ...(object.status === 'failed' ? { exit: EXIT.failed } : {}) };
  } finally {
    display.end();
    // The base has its own copy.
    for (const { file_id: id } of uploaded) await fleet.openai.files.delete(id);
  }
}

export function importCommand(models: Command, define: Define): void {
  define(
    models
      .command('import <source>')
      .description('make a base model of a Hugging Face folder, a GGUF file or hf:owner/name; waits until it is ready')
      .requiredOption('--name <name>', 'what it is to be called')
      .option('--base <model>', 'for a PEFT adapter: the base that it is put over')
      .option('--revision <revision>', 'branch, tag or commit of hf:owner/name (main)'),
    importModel,
  );
}
