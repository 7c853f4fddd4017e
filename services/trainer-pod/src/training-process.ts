// Runs training-core in the current folder and tells the pod how it goes. The IPC channel is its life line; it never sees the network.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openSafetensors, openWeights, weightsSha256Of } from '@tunefleet/model-formats';
import { addTokensTo } from '@tunefleet/tokenization';
import {
  engineIdentity,
  latestSnapshot,
  memoryLimit,
  providerFor,
  sameEngine,
  TrainingError,
  type TrainingSpec,
  train,
} from '@tunefleet/training-core';
import { type ExampleSource, PreparedData } from '@tunefleet/training-data';
import { EXIT } from './exit-codes.js';
import type { FromTraining, ProcessSpec, ToTraining } from './supervision/protocol.js';

const folder = process.cwd();

let sent: Promise<void> = Promise.resolve();
function tell(message: FromTraining): void {
  const delivered = new Promise<void>((resolve) => process.send?.(message, undefined, undefined, () => resolve()));
  sent = sent.then(() => delivered);
}

/** Rows whose classes were numbered by their own file, under the numbers of `labels`. */
function relabelled(rows: PreparedData, labels: readonly string[]): ExampleSource {
  const numbers = (rows.manifest.labels ?? []).map((label) => labels.indexOf(label));
  return {
    count: rows.count,
    get(row) {
      const example = rows.get(row);
      return { ...example, label: numbers[example.label!]! };
    },
  };
}

let yielding = false;
process.on('message', (message: ToTraining) => {
  if (message.type === 'yield') yielding = true;
});
// The pod is gone: whoever takes the job next starts from its last snapshot.
process.on('disconnect', () => process.exit(EXIT.temporary));
// A terminal's Ctrl-C reaches the whole group; the pod decides what becomes of us.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => {
  yielding = true;
});

async function weightsOf(model: string): Promise<string> {
  const adapter = join(model, 'adapter_model.safetensors');
  const weights = existsSync(adapter) ? await openSafetensors(adapter) : await openWeights(model);
  try {
    return await weightsSha256Of(weights);
  } finally {
    await weights.close();
  }
}

async function run(): Promise<number> {
  const { continues, validates, classifies, added_tokens, declared_memory, ...settings } = JSON.parse(
    await readFile('spec.json', 'utf8'),
  ) as ProcessSpec;
  const training = await PreparedData.open(join(folder, 'data/train'));
  const labels = training.manifest.labels ?? [];
  const valid = validates ? await PreparedData.open(join(folder, 'data/valid')) : null;
  const validation = valid && (classifies ? relabelled(valid, labels) : valid);
  const computes = await providerFor(settings);
  const spec: TrainingSpec = {
    ...settings,
    provider: computes.provider,
    folder,
    memory_limit: memoryLimit(declared_memory ?? undefined),
    base: join(folder, 'base'),
    ...(added_tokens.length > 0 ? { vocabulary: await addTokensTo(join(folder, 'base'), added_tokens) } : {}),
    ...(continues ? { continueFrom: join(folder, 'adapter') } : {}),
    ...(classifies ? { task: { type: 'classification', labels } } : {}),
  };
  const resume = await latestSnapshot(join(folder, 'snapshots'));
  const engine = engineIdentity(spec.threads, computes.provider);
  const exact = !resume || sameEngine(resume.manifest.engine, engine);
  tell({ type: 'started', resumed: resume?.manifest.step ?? null, engine, exact, computes });
  let hashing = Promise.resolve();
  const outcome = await train(spec, training, validation, resume?.folder ?? null, {
    onStep: (row) => tell({ type: 'step', row }),
    onSnapshot: (path, step) => {
      // Behind the checkpoint of the same step, whose hash is still being taken: the order is what a resume relies on.
      hashing = hashing.then(() => tell({ type: 'snapshot', step, folder: path }));
    },
    onCheckpoint: (path, step, epoch, metrics) => {
      hashing = hashing.then(async () =>
        tell({ type: 'checkpoint', step, epoch, folder: path, metrics, weights_sha256: await weightsOf(path) }),
      );
    },
    shouldStop: () => (yielding ? 'pause' : 'continue'),
  });
  await hashing;
  if (outcome.outcome !== 'finished') {
    tell({ type: 'yielded', step: outcome.steps });
    return EXIT.drained;
  }
  const { steps: step, trained_tokens } = outcome;
  tell({ type: 'finished', step, folder: outcome.folder, weights_sha256: await weightsOf(outcome.folder), trained_tokens });
  return EXIT.done;
}

function failed(error: unknown): number {
  const permanent = error instanceof TrainingError;
  const code = permanent ? error.code : 'training_failed';
  tell({ type: 'failed', code, message: error instanceof Error ? error.message : String(error), permanent });
  console.error(error);
  return permanent ? EXIT.permanent : EXIT.temporary;
}

const code = await run().catch(failed);
await sent;
process.exit(code);
