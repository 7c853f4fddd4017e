import { TrainingError, type TrainingSpec } from './spec.js';

/** Refuses settings that no run could follow. Errors: {@link TrainingError} `invalid_spec`, naming the setting. */
export function checkSpec(spec: TrainingSpec, rows: number): void {
  const { optimizer, adapter } = spec;
  const { schedule, betas } = optimizer;
  natural('rows', rows);
  natural('epochs', spec.epochs);
  natural('batch_size', spec.batch_size);
  natural('micro_batch_size', spec.micro_batch_size);
  if (spec.max_steps !== null) natural('max_steps', spec.max_steps);
  natural('threads', spec.threads);
  natural('snapshot.every_steps', spec.snapshot.every_steps);
  natural('snapshot.keep', spec.snapshot.keep);
  within('seed', spec.seed, Number.isSafeInteger(spec.seed) && spec.seed >= 0);
  within('optimizer.learning_rate', optimizer.learning_rate, optimizer.learning_rate >= 0);
  within('optimizer.eps', optimizer.eps, optimizer.eps > 0);
  within('optimizer.weight_decay', optimizer.weight_decay, optimizer.weight_decay >= 0);
  within('optimizer.max_grad_norm', optimizer.max_grad_norm, optimizer.max_grad_norm > 0);
  if (!['stop', 'skip', undefined].includes(optimizer.non_finite))
    throw new TrainingError('invalid_spec', `optimizer.non_finite = ${optimizer.non_finite} is neither stop nor skip`);
  oneOf('precision', spec.precision, ['float32', 'float16']);
  oneOf('provider', spec.provider, ['auto', 'cpu', 'webgpu', 'cuda']);
  oneOf('state', spec.state, ['host', 'device']);
  for (const beta of betas) within('optimizer.betas', beta, beta >= 0 && beta < 1);
  within('optimizer.schedule.warmup_ratio', schedule.warmup_ratio, schedule.warmup_ratio >= 0 && schedule.warmup_ratio <= 1);
  if (spec.vocabulary !== undefined) natural('vocabulary', spec.vocabulary);
  checkTask(spec);
  if (adapter.type === 'full') {
    if (spec.continueFrom !== undefined) throw new TrainingError('invalid_spec', 'continueFrom needs adapter.type lora');
    if (spec.base_precision === 'int4') throw new TrainingError('invalid_spec', 'base_precision int4 needs adapter.type lora');
    return;
  }
  natural('adapter.rank', adapter.rank);
  within('adapter.alpha', adapter.alpha, adapter.alpha > 0);
  within('adapter.dropout', adapter.dropout, adapter.dropout >= 0 && adapter.dropout < 1);
}

function checkTask({ task, freeze, adapter }: TrainingSpec): void {
  if (task?.type === 'classification') {
    const { labels } = task;
    if (labels.length < 2 || new Set(labels).size < labels.length)
      throw new TrainingError('invalid_spec', 'task.labels must be two or more different classes');
  } else if (freeze) {
    throw new TrainingError('invalid_spec', 'freeze.backbone needs task.type classification: a language model has no head of its own');
  }
  if (freeze && adapter.type !== 'full') throw new TrainingError('invalid_spec', 'freeze.backbone needs adapter.type full');
}

function oneOf(name: string, value: string | undefined, known: readonly string[]): void {
  if (value === undefined || known.includes(value)) return;
  throw new TrainingError('invalid_spec', `${name} = ${value} is not supported: it is one of ${known.join(', ')}`);
}

function natural(name: string, value: number): void {
  within(name, value, Number.isSafeInteger(value) && value >= 1);
}

function within(name: string, value: number, holds: boolean): void {
  if (!holds || !Number.isFinite(value)) throw new TrainingError('invalid_spec', `${name} = ${value} is out of range`);
}
