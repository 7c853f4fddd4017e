import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type EngineIdentity, engineIdentity, type Provider } from '@tunefleet/tensor';
import { checkSpec } from '../check-spec.js';
import { largestBatch, roomInspection } from '../estimate/require-room.js';
import { openTrainable } from '../model/open-trainable.js';
import type { Trainable } from '../model/trainable.js';
import { clipFactor } from '../optimizers/clipping.js';
import { initLossScale, nextLossScale, SMALLEST_SCALE } from '../optimizers/loss-scale.js';
import { schedule } from '../schedules/schedule.js';
import { sameEngine, settingsHash } from '../snapshot/identity.js';
import { SNAPSHOT_SCHEMA } from '../snapshot/manifest.js';
import { findSnapshot, pruneSnapshots, readSnapshot, writeSnapshot } from '../snapshot/snapshot.js';
import {
  type ExampleSource,
  type MetricsRow,
  TrainingError,
  type TrainingHooks,
  type TrainingOutcome,
  type TrainingSpec,
} from '../spec.js';
import { homeOf, openState } from '../state/open-state.js';
import type { TrainingState } from '../state/training-state.js';
import { accumulate, means } from './accumulate.js';
import { type NonFinite, nonFiniteError, SKIPPED_IN_A_ROW } from './non-finite.js';
import { type DataOrder, dataOrder, packedByTokens, VALIDATION_TOKENS } from './order.js';
import { Passes } from './passes.js';
import { providerFor } from './provider.js';

/**
 * Trains, from the beginning or from a snapshot, until the steps are done or a hook says otherwise.
 * The result of a run that was stopped at any point and resumed is the same, byte by byte, as of one that ran through.
 * @param resume a snapshot's folder; if it is torn, the whole one before it, beside it, is taken
 * Errors: {@link TrainingError}; TornSnapshotError; what the model's files give.
 */
export async function train(
  spec: TrainingSpec,
  training: ExampleSource,
  validation: ExampleSource | null,
  resume: string | null,
  hooks: TrainingHooks,
): Promise<TrainingOutcome> {
  checkSpec(spec, training.count);
  const { provider, reason } = await providerFor(spec);
  hooks.onPhase?.(`training on ${provider}: ${reason}`);
  hooks.onPhase?.('loading the base model');
  // Within the work folder: what a killed attempt left is removed by the next, or goes with the folder.
  const scratch = join(spec.folder, 'scratch');
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch, { recursive: true });
  try {
    const home = homeOf({ ...spec, provider });
    const model = await openTrainable({ ...spec, state: home }, scratch);
    try {
      const rows = await preparedRows(model, training, validation, hooks);
      if (!rows) return { outcome: 'stopped', steps: 0, trained_tokens: 0, folder: spec.folder };
      const state = await openState(model, home, { ...spec, provider, scratch });
      try {
        const run = new Run(spec, model, rows.training, rows.validation, hooks, { scratch, provider, state });
        try {
          await run.begin(resume);
          return await run.finish();
        } finally {
          await run.close();
        }
      } finally {
        await state.release();
      }
    } finally {
      await model.close();
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Null when told to stop; a pause waits until there is a state to take a snapshot of. */
async function preparedRows(
  model: Trainable,
  training: ExampleSource,
  validation: ExampleSource | null,
  hooks: TrainingHooks,
): Promise<{ training: ExampleSource; validation: ExampleSource | null } | null> {
  if (!model.prepare) return { training, validation };
  hooks.onPhase?.('computing the frozen part once');
  const stopped = (): boolean => hooks.shouldStop() === 'stop';
  const first = await model.prepare(training, stopped);
  const second = validation && (await model.prepare(validation, stopped));
  return first && (second || !validation) ? { training: first, validation: second } : null;
}

class Run {
  readonly #state: TrainingState;
  readonly #order: DataOrder;
  readonly #rate: (step: number) => number;
  readonly #passes: Passes;
  readonly #settings: string;
  readonly #engine: EngineIdentity;
  #lossScale = initLossScale();
  #step = 0;
  #tokens = 0;
  /** steps just before this one that were given up */
  #skipped = 0;

  constructor(
    readonly spec: TrainingSpec,
    readonly model: Trainable,
    readonly training: ExampleSource,
    readonly validation: ExampleSource | null,
    readonly hooks: TrainingHooks,
    { scratch, provider, state }: { scratch: string; provider: Provider; state: TrainingState },
  ) {
    const { layout } = model;
    this.#state = state;
    this.#order = dataOrder({ ...spec, count: training.count });
    const factor = schedule(spec.optimizer.schedule, this.#order.totalSteps);
    this.#rate = (step) => spec.optimizer.learning_rate * factor(step);
    const largest = spec.memory_limit === undefined ? null : largestBatch(model, training, spec.micro_batch_size);
    const inspection = largest ? roomInspection(() => this.#passes.feedsOf(largest), spec, layout.size) : undefined;
    this.#passes = new Passes(model, state.parameters, { ...spec, scratch, inspection, provider });
    this.#engine = engineIdentity(spec.threads, provider);
    this.#settings = settingsHash({
      ...decidingSettings(spec),
      rows: training.count,
      tensors: layout.slots.map(({ name, shape }) => [name, shape]),
    });
  }

  async begin(resume: string | null): Promise<void> {
    if (resume === null) {
      await this.#prepare();
      return this.#state.begin(({ parameters }) => this.model.initialize(parameters));
    }
    const { folder, manifest } = await findSnapshot(resume);
    if (manifest.settings !== this.#settings) {
      throw new TrainingError('snapshot_mismatch', `snapshot ${folder} was made under other settings or on other data`);
    }
    this.#step = manifest.step;
    await this.#prepare();
    await this.#state.begin((state) => readSnapshot(folder, manifest, state));
    this.#tokens = manifest.trained_tokens;
    this.#skipped = manifest.skipped_in_a_row ?? 0;
    this.#lossScale = manifest.loss_scale ?? initLossScale();
    const exact = sameEngine(manifest.engine, this.#engine);
    this.hooks.onPhase?.(`resumed at step ${manifest.step}${exact ? '' : ' on another engine: close, not the same bytes'}`);
  }

  async finish(): Promise<TrainingOutcome> {
    while (this.#step < this.#order.totalSteps) {
      const signal = await this.#oneStep();
      if (signal === 'stop') return this.#outcome('stopped', this.spec.folder);
      if (signal === 'pause') return this.#outcome('paused', await this.#snapshot());
    }
    return this.#outcome('finished', await this.#write('result'));
  }

  close(): Promise<void> {
    return this.#passes.release();
  }

  /** Has the session of the first pass made while the state is read. A device is not asked for two things at once. */
  async #prepare(): Promise<void> {
    if (this.#engine.provider !== undefined || this.#step >= this.#order.totalSteps) return;
    const [rows] = this.#order.rowsOf(this.#step).microBatches;
    const batch = this.model.network.batch(rows!.map((row) => this.training.get(row)));
    if (batch) await this.#passes.prepare(batch);
  }

  #outcome(outcome: TrainingOutcome['outcome'], folder: string): TrainingOutcome {
    return { outcome, steps: this.#step, trained_tokens: this.#tokens, folder };
  }

  /** Gradients of a whole batch, the update, and what is due after it. A step that is interrupted before its update has changed nothing. */
  async #oneStep(): Promise<'continue' | 'pause' | 'stop'> {
    const { spec, hooks } = this;
    const { gradients } = this.#state;
    const { epoch, lastOfEpoch, microBatches } = this.#order.rowsOf(this.#step);
    let first = true;
    let signal: ReturnType<TrainingHooks['shouldStop']> = 'continue';
    const interrupted = (): boolean => {
      signal = hooks.shouldStop();
      return signal !== 'continue';
    };
    const sums = await accumulate(
      this.training,
      microBatches,
      (examples) => this.model.network.batch(examples),
      (batch, microBatch) => {
        const pass = this.#passes.train(batch, { step: this.#step, microBatch, scale: this.#scale, first }, gradients);
        first = false;
        return pass;
      },
      interrupted,
    );
    if (!sums) return signal;
    if (first) await gradients.clear();
    const rate = this.#rate(this.#step);
    const fault = sums.fault ?? (await this.#update(sums.weight, rate, microBatches));
    this.#heed(fault);
    this.#step++;
    this.#tokens += sums.tokens;
    const { loss, accuracy } = means(sums);
    const row: MetricsRow = { step: this.#step, train_loss: loss, train_accuracy: accuracy, learning_rate: rate, tokens: sums.tokens };
    if (fault) row.skipped = { quantity: fault.quantity, rows: [...fault.rows] };
    const last = this.#step === this.#order.totalSteps;
    if (this.validation && (lastOfEpoch || last)) {
      const valid = await this.#validate(this.validation);
      if (!valid) return 'stop';
      Object.assign(row, valid);
    }
    hooks.onStep(row);
    // The checkpoint first: a run that resumes from this step's snapshot does not come by here again.
    if (lastOfEpoch) hooks.onCheckpoint(await this.#write(join('checkpoints', String(this.#step))), this.#step, epoch + 1, row);
    if (this.#step % spec.snapshot.every_steps === 0 && !last) await this.#snapshot();
    return 'continue';
  }

  get #isHalf(): boolean {
    return this.spec.precision === 'float16';
  }

  /** What the gradients are multiplied by. */
  get #scale(): number {
    return this.#isHalf ? this.#lossScale.scale : 1;
  }

  /**
   * Stops the run, or counts a step that was given up. In float16 gradients beyond its range are expected: the step is skipped under a
   * smaller scale.
   */
  #heed(fault: NonFinite | null): void {
    const overflowed = this.#isHalf && fault?.quantity === 'gradient' && this.#scale > SMALLEST_SCALE;
    if (this.#isHalf) this.#lossScale = nextLossScale(this.#lossScale, overflowed);
    if (overflowed) return;
    this.#skipped = fault ? this.#skipped + 1 : 0;
    if (!fault) return;
    if (this.spec.optimizer.non_finite !== 'skip') throw nonFiniteError(fault);
    if (this.#skipped > SKIPPED_IN_A_ROW) throw nonFiniteError(fault, `; ${SKIPPED_IN_A_ROW} steps before it were skipped already`);
  }

  /** AdamW with the mean, clipped gradient. Where that is no finite number, nothing is changed and the fault is returned. */
  async #update(weight: number, rate: number, microBatches: readonly (readonly number[])[]): Promise<NonFinite | null> {
    const mean = (weight === 0 ? 1 : 1 / weight) / this.#scale;
    const norm = await this.#state.norm(mean);
    if (!Number.isFinite(norm)) return { quantity: 'gradient', value: norm, rows: microBatches.flat() };
    await this.#state.update(mean * clipFactor(norm, this.spec.optimizer.max_grad_norm), rate);
    return null;
  }

  /** Null when told to stop. A pause waits: the update is done, and its row needs these figures. */
  async #validate(source: ExampleSource): Promise<Pick<MetricsRow, 'valid_loss' | 'valid_accuracy'> | null> {
    const microBatches = packedByTokens(source, VALIDATION_TOKENS);
    const stopped = (): boolean => this.hooks.shouldStop() === 'stop';
    const batchOf = this.model.network.batch;
    const sums = await accumulate(source, microBatches, batchOf, (batch) => this.#passes.validate(batch), stopped);
    if (!sums) return null;
    if (sums.fault) throw nonFiniteError(sums.fault, ' of the validation data');
    const { loss, accuracy } = means(sums);
    return { valid_loss: loss, valid_accuracy: accuracy };
  }

  async #snapshot(): Promise<string> {
    const { spec } = this;
    const parent = join(spec.folder, 'snapshots');
    const folder = await writeSnapshot(parent, await this.#state.read(), {
      schema: SNAPSHOT_SCHEMA,
      step: this.#step,
      position: { epoch: Math.floor(this.#step / this.#order.stepsPerEpoch), batch: this.#step % this.#order.stepsPerEpoch },
      trained_tokens: this.#tokens,
      skipped_in_a_row: this.#skipped,
      generator: { algorithm: 'philox4x32-10', seed: spec.seed },
      optimizer: { type: 'adamw', step: this.#state.updates },
      settings: this.#settings,
      ...(this.#isHalf ? { loss_scale: this.#lossScale } : {}),
      engine: this.#engine,
    });
    await pruneSnapshots(parent, this.#step, spec.snapshot.keep);
    this.hooks.onSnapshot(folder, this.#step);
    return folder;
  }

  /** Writes the model as it is now to a folder within the work folder; what a killed attempt left there goes first. */
  async #write(name: string): Promise<string> {
    const folder = join(this.spec.folder, name);
    await rm(folder, { recursive: true, force: true });
    await mkdir(join(folder, '..'), { recursive: true });
    await this.model.write(folder, await this.#state.readParameters());
    return folder;
  }
}

/** What the weights depend on: not where files lie, how often snapshots are taken, or the threads (those are the engine's identity). */
function decidingSettings({
  task,
  freeze,
  base_precision = 'float32',
  precision = 'float32',
  adapter,
  vocabulary,
  optimizer: { non_finite = 'stop', ...optimizer },
  epochs,
  batch_size,
  micro_batch_size,
  max_steps,
  shuffle,
  seed,
  memory = 'fast',
  state,
}: TrainingSpec): object {
  const decided = { ...optimizer, non_finite };
  const data = { epochs, batch_size, micro_batch_size, max_steps, shuffle, seed };
  const half = precision === 'float32' ? {} : { precision };
  return { task, freeze, base_precision, ...half, adapter, vocabulary, optimizer: decided, memory, state, ...data };
}
