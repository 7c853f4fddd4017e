export { followMetrics, listMetrics } from './metrics.js';
export { type AliasList, Tunefleet, type TunefleetOptions, type TuningJob } from './tunefleet.js';
