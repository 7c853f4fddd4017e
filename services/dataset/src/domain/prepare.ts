import { createHash } from 'node:crypto';
import { ApiError, LIMITS, type PreparedData, type ResolvedModel, type RpcReply, type RpcRequest } from '@tunefleet/contracts';
import { isFinished } from '@tunefleet/jobs';
import type { TaskEntry } from '../store/records.js';
import type { FileRecord, Preparation, TaskRecord } from '../store/schemas.js';
import { fileSummary, findFile, publicFault } from './files.js';
import { preparedPrefix } from './intents.js';
import { type Parts, seconds } from './parts.js';
import { tokenizerHash } from './tokenizer-files.js';

type Request = RpcRequest<'dataset.prepare'>;
type Reply = RpcReply<'dataset.prepare'>;

export const PREPARE_QUEUE = 'prepare';
/** Of rendering, masks and shards: a change of what the same input gives makes new hashes. */
const CODE_SCHEMA = 1;
const ASKED_SECONDS = 3600;
const AGAIN_SECONDS = 10;

const taskId = (project: string, hash: string): string => `prep-${project}-${hash}`;

/** `packing` is no part of it: shards hold examples, and packing happens when they are read. */
function preparationOf(
  file: Pick<FileRecord, 'sha256'>,
  model: ResolvedModel,
  { task, sequence, added_tokens = [] }: Request,
): Preparation {
  const tokenizer_sha256 = tokenizerHash(model.files);
  const { max_tokens, on_overflow } = sequence;
  // Addresses of before there were added tokens stay what they are.
  const more = added_tokens.length > 0 ? { added_tokens } : {};
  const address = JSON.stringify([CODE_SCHEMA, file.sha256, tokenizer_sha256, task, max_tokens, on_overflow, ...Object.values(more)]);
  return {
    ...more,
    hash: createHash('sha256').update(address).digest('hex'),
    model: model.id,
    tokenizer_sha256,
    task,
    max_tokens,
    on_overflow,
  };
}

/** The file, or what is known of a deleted one from a preparation that was asked for before: jobs under way go on with that. */
async function sourceOf({ store }: Parts, { project, file: id }: Request): Promise<FileRecord | { sha256: string; deleted: true }> {
  try {
    return await findFile(store, project, id);
  } catch (error) {
    for (const task of store.tasks.all()) {
      if (task.project === project && task.preparation && task.files.includes(id)) return { sha256: task.sha256, deleted: true };
    }
    throw error;
  }
}

async function answer({ objects }: Parts, { project, preparation, outcome, work }: TaskRecord): Promise<Reply> {
  if (work.error) return { status: 'failed', fault: { code: work.error.code, message: work.error.message, line: null, column: null } };
  if (!isFinished(work.state) || !outcome || !preparation) return { status: 'preparing' };
  if ('fault' in outcome) return { status: 'failed', fault: publicFault(outcome.fault) };
  const prefix = preparedPrefix(project, preparation.hash);
  const files = await Promise.all(
    outcome.files.map(async (file) => ({ ...file, url: await objects.sign('GET', prefix + file.path, LIMITS.signedUrlSeconds) })),
  );
  const data: PreparedData = { ...outcome, hash: preparation.hash, files };
  return { status: 'ready', data };
}

/** Notes who asks, at most once an hour for each file. */
async function touch({ store }: Parts, id: string, file: string): Promise<TaskRecord> {
  const now = seconds();
  const { value } = await store.tasks.update(id, (task) => {
    const known = task.files.includes(file) || task.files.length === 64;
    if (known && now - task.asked_at < ASKED_SECONDS) return null;
    return { ...task, asked_at: now, files: known ? task.files : [...task.files, file] };
  });
  return value;
}

/** Work that failed for no fault of the rows is tried anew when somebody asks a while later. */
const isStale = ({ work, finished_at }: TaskEntry): boolean => work.state === 'failed' && seconds() - (finished_at ?? 0) > AGAIN_SECONDS;

/** Tokenize and mask a file for a model, once for each content, tokenizer and settings. Ask again until `ready` or `failed`. */
export async function prepareFile(parts: Parts, request: Request): Promise<Reply> {
  const { bus, store, work } = parts;
  const { project, file: fileId } = request;
  const source = await sourceOf(parts, request);
  if (!('deleted' in source)) {
    if (source.purpose !== 'fine-tune') {
      throw new ApiError('invalid_purpose', `The file '${fileId}' has purpose '${source.purpose}'; a job needs 'fine-tune'.`);
    }
    if (source.status === 'uploaded') return { status: 'preparing' };
    if (source.status === 'error') return { status: 'failed', fault: fileSummary(source).fault! };
  }
  const model = await bus.request('model-registry.resolve_model', { project, model: request.model });
  const preparation = preparationOf(source, model, request);
  const id = taskId(project, preparation.hash);
  const known = store.tasks.find(id);
  if (!known && 'deleted' in source) throw new ApiError('file_not_found', `No such file: '${fileId}'.`, { param: 'file_id' });
  if (known && isStale(known)) await store.tasks.delete(id);
  const now = seconds();
  const task = {
    id,
    project,
    created_at: now,
    schema: 1 as const,
    files: [fileId],
    sha256: source.sha256,
    preparation,
    outcome: null,
    asked_at: now,
  };
  const { value, created } = await work.submit(task, { queue: PREPARE_QUEUE, kind: 'prepare' });
  return answer(parts, created ? value : await touch(parts, id, fileId));
}
