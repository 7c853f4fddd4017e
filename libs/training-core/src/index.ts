export { type ChosenProvider, type EngineIdentity, engineIdentity } from '@tunefleet/tensor';
export { memoryLimit } from './estimate/limit.js';
export { isRates, measureRates, type Rates, ratesKey } from './estimate/rates.js';
export { estimateMemory, estimateRun, type PlannedRun, type RunEstimate } from './estimate/run.js';
export { type DataOrder, dataOrder, type StepRows } from './loop/order.js';
export { providerFor } from './loop/provider.js';
export { train } from './loop/train.js';
export { openTrainable } from './model/open-trainable.js';
export { passGraph } from './model/pass-graph.js';
export type { Trainable } from './model/trainable.js';
export { type AdamWSpec, type AdamWState, initAdamW, type ParameterRange, updateAdamW } from './optimizers/adamw.js';
export { clipFactor, globalNorm } from './optimizers/clipping.js';
export { type Schedule, type ScheduleSpec, schedule } from './schedules/schedule.js';
export { sameEngine } from './snapshot/identity.js';
export { readManifest, type SnapshotManifest, TornSnapshotError } from './snapshot/manifest.js';
export { findSnapshot, latestSnapshot } from './snapshot/snapshot.js';
export {
  type ExampleSource,
  type LoraSpec,
  type MetricsRow,
  type StopSignal,
  TrainingError,
  type TrainingHooks,
  type TrainingOutcome,
  type TrainingSpec,
} from './spec.js';
