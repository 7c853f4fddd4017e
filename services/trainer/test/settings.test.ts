import { describe, expect, test } from '@jest/globals';
import { ApiError, type JobCreateBody, LIMITS } from '@tunefleet/contracts';
import { adapterOf, type ParentAdapter } from '../src/domain/adapter.js';
import { requireRoom } from '../src/domain/create.js';
import {
  autoBatchSize,
  autoEpochs,
  type Requested,
  requestedHyperparameters,
  resolveHyperparameters,
} from '../src/domain/hyperparameters.js';
import { moduleNames } from '../src/domain/module-names.js';
import { resolveSettings } from '../src/domain/settings.js';
import { refuseUnsupported } from '../src/domain/unsupported.js';

const model = {
  context: 256,
  head: 'language_model',
  rates: { full: 2e-5, lora: 2e-4 },
  default_adapter: 'lora',
  base_precision: 'float32',
} as const;
const auto: Requested = { batch_size: 'auto', learning_rate_multiplier: 'auto', n_epochs: 'auto' };
const body = (more: Partial<JobCreateBody>): JobCreateBody => ({ model: 'm', training_file: 'f', ...more });
const lora = (given: Parameters<typeof adapterOf>[0]): ParentAdapter =>
  adapterOf(given, 'lora', null, moduleNames('language_model', null)) as ParentAdapter;
const refusal = (run: () => unknown): Pick<ApiError, 'code' | 'param'> => {
  try {
    run();
  } catch (error) {
    if (error instanceof ApiError) return { code: error.code, param: error.param };
    throw error;
  }
  throw new Error('nothing was refused');
};

test('every default is filled in', () => {
  expect(resolveSettings(undefined, auto, model, null)).toEqual({
    task: null,
    adapter: {
      type: 'lora',
      rank: 8,
      alpha: 16,
      dropout: 0,
      targets: 'all-linear',
      rank_pattern: {},
      alpha_pattern: {},
      use_rslora: false,
      layers_to_transform: null,
      layers_pattern: null,
      exclude_modules: null,
      modules_to_save: null,
    },
    added_tokens: null,
    base_precision: 'float32',
    memory: 'fast',
    freeze: null,
    unfreeze: null,
    optimizer: {
      type: 'adamw',
      learning_rate: 2e-4,
      betas: [0.9, 0.999],
      eps: 1e-8,
      weight_decay: 0,
      max_grad_norm: 1,
      non_finite: 'stop',
      schedule: { type: 'linear', warmup_ratio: 0.1 },
    },
    sequence: { max_tokens: 256, packing: true, on_overflow: 'error' },
    micro_batch_size: 1,
    max_steps: null,
    shuffle: true,
    early_stopping: null,
    snapshot: { every_steps: 50, keep: 2 },
    priority: 0,
    queue: 'default',
  });
});

test('an answered block may be posted back and gives itself', () => {
  for (const task of ['chat', 'completion'] as const) expect(resolveSettings({ task }, auto, model, null).task).toBe(task);
  const settings = resolveSettings(
    { adapter: { type: 'full' }, optimizer: { learning_rate: 3e-4, non_finite: 'skip' }, priority: 3 },
    auto,
    model,
    null,
  );
  expect(settings.optimizer.non_finite).toBe('skip');
  expect(resolveSettings({ ...settings, waiting: { reason: 'slots', place: 1 } }, auto, model, null)).toEqual(settings);
});

test('learning_rate and multiplier: either, or both where they agree within 1e-9', () => {
  const rate = (learning_rate: number | undefined, learning_rate_multiplier: Requested['learning_rate_multiplier']) =>
    resolveSettings({ optimizer: learning_rate === undefined ? {} : { learning_rate } }, { ...auto, learning_rate_multiplier }, model, null)
      .optimizer.learning_rate;
  expect(rate(undefined, 2)).toBe(4e-4);
  expect(rate(5e-4, 'auto')).toBe(5e-4);
  expect(rate(6e-4, 3)).toBe(6e-4);
  expect(refusal(() => rate(6e-4, 3.0001))).toEqual({ code: 'invalid_value', param: 'tunefleet.optimizer.learning_rate' });
});

test.each([
  ['method.type', body({ method: { type: 'dpo' } })],
  ['method.reinforcement', body({ method: { type: 'supervised', reinforcement: { grader: {} } } })],
  ['integrations', body({ integrations: [{ type: 'wandb', wandb: { project: 'p' } }] })],
  ['tunefleet.task', body({ tunefleet: { task: 'regression' } })],
  ['tunefleet.freeze.layers', body({ tunefleet: { freeze: { layers: [0] } } })],
  ['tunefleet.unfreeze', body({ tunefleet: { unfreeze: [{ at_epoch: 1, layers: [2] }] } })],
  ['tunefleet.early_stopping', body({ tunefleet: { early_stopping: { metric: 'valid_loss', patience: 3 } } })],
  ['tunefleet.adapter.type', body({ tunefleet: { adapter: { type: 'ia3' } } })],
  ['tunefleet.adapter.use_dora', body({ tunefleet: { adapter: { type: 'lora', use_dora: true } } })],
])('%s is refused by name as not_supported', (param, given) => {
  expect(refusal(() => refuseUnsupported(given))).toEqual({ code: 'not_supported', param });
});

test.each<[string, JobCreateBody['tunefleet']]>([
  ['tunefleet.adapter.rank', { adapter: { type: 'full', rank: 4 } }],
  ['tunefleet.base_precision', { base_precision: 'int4', adapter: { type: 'full' } }],
  ['tunefleet.adapter.targets', { adapter: { type: 'lora', targets: ['q_proj', 'c_attn'] } }],
  ['tunefleet.adapter.targets', { adapter: { type: 'lora', targets: 'everything' } }],
  ['tunefleet.adapter.targets', { adapter: { targets: '(q_proj' } }],
  ['tunefleet.adapter.targets', { adapter: { exclude_modules: '.*' } }],
  ['tunefleet.adapter.layers_to_transform', { adapter: { targets: '.*q_proj', layers_to_transform: [0] } }],
  ['tunefleet.adapter.layers_pattern', { adapter: { layers_pattern: ['layers'] } }],
  ['tunefleet.adapter.rank_pattern', { adapter: { rank_pattern: { '(?<!x)q_proj': 2 } } }],
  ['tunefleet.adapter.modules_to_save', { adapter: { modules_to_save: ['classifier'] } }],
  ['tunefleet.adapter.modules_to_save', { adapter: { type: 'full', modules_to_save: ['lm_head'] } }],
  ['tunefleet.sequence.max_tokens', { sequence: { max_tokens: 257 } }],
])('%s out of what the model can do is refused', (param, tunefleet) => {
  expect(refusal(() => resolveSettings(tunefleet, auto, model, null))).toEqual({ code: 'invalid_value', param });
});

test('a micro-batch larger than the batch is refused', () => {
  expect(refusal(() => resolveSettings({ micro_batch_size: 8 }, { ...auto, batch_size: 4 }, model, null)).param).toBe(
    'tunefleet.micro_batch_size',
  );
});

test('over a 4-bit base an adapter learns, whatever the base is tuned by otherwise', () => {
  const settings = resolveSettings({ base_precision: 'int4' }, auto, { ...model, default_adapter: 'full' }, null);
  expect(settings).toMatchObject({ base_precision: 'int4', adapter: { type: 'lora', rank: 8 }, optimizer: { learning_rate: 2e-4 } });
});

test('an adapter goes on over the base it was trained over', () => {
  const parent = { type: 'lora', rank: 4, alpha: 8, dropout: 0, targets: 'all-linear' } as const;
  const over = { ...model, base_precision: 'int4' } as const;
  expect(resolveSettings(undefined, auto, over, parent).base_precision).toBe('int4');
  expect(refusal(() => resolveSettings({ base_precision: 'float32' }, auto, over, parent)).param).toBe('tunefleet.base_precision');
  // a fully tuned model is a base of its own
  expect(resolveSettings({ base_precision: 'int4' }, auto, model, null).base_precision).toBe('int4');
});

test('a job that continues an adapter keeps its shape', () => {
  const parent = lora({ rank: 4, alpha: 8, targets: ['q_proj'], rank_pattern: { 'layers.0.*': 2 } });
  const after = (adapter: object) => resolveSettings({ adapter }, auto, model, parent).adapter;
  expect(resolveSettings(undefined, auto, model, parent).adapter).toEqual(parent);
  expect(after({ dropout: 0.1 })).toEqual({ ...parent, dropout: 0.1 });
  // PEFT sorts names, and writes out what all of them are.
  const over = (targets: string[]) => resolveSettings(undefined, auto, model, { ...parent, targets }).adapter;
  expect(over(['down_proj', 'q_proj'])).toMatchObject({ targets: ['q_proj', 'down_proj'] });
  expect(over(['down_proj', 'gate_proj', 'k_proj', 'o_proj', 'q_proj', 'up_proj', 'v_proj'])).toMatchObject({ targets: 'all-linear' });
  expect(refusal(() => after({ type: 'lora', rank: 8 })).param).toBe('tunefleet.adapter.rank');
  expect(refusal(() => after({ modules_to_save: ['lm_head'] })).param).toBe('tunefleet.adapter.modules_to_save');
  expect(refusal(() => after({ rank_pattern: { 'layers.1.*': 2 } })).param).toBe('tunefleet.adapter.rank_pattern');
  expect(refusal(() => after({ type: 'full' })).code).toBe('not_supported');
});

test('added tokens are learned in embedding and head, which an adapter then holds whole', () => {
  const after = (adapter: object, parent: ParentAdapter | null = null) =>
    resolveSettings({ adapter, added_tokens: ['<a>', '<b>'] }, auto, model, parent);
  expect(after({ type: 'full' })).toMatchObject({ adapter: { type: 'full' }, added_tokens: ['<a>', '<b>'] });
  expect(after({ modules_to_save: ['lm_head'] }).adapter).toMatchObject({ modules_to_save: ['lm_head', 'embed_tokens'] });
  expect(resolveSettings({ added_tokens: [] }, auto, model, null)).toMatchObject({
    added_tokens: null,
    adapter: { modules_to_save: null },
  });
  expect(refusal(() => resolveSettings({ task: 'classification', added_tokens: ['<a>'] }, auto, model, null)).param).toBe(
    'tunefleet.added_tokens',
  );
  const parent = lora({});
  expect(refusal(() => after({}, parent))).toEqual({ code: 'invalid_value', param: 'tunefleet.added_tokens' });
  expect(refusal(() => refuseUnsupported(body({ tunefleet: { added_tokens: ['a', ' '] } })))).toMatchObject({
    param: 'tunefleet.added_tokens',
  });
});

test('hyperparameters in both places must agree', () => {
  const method = (n_epochs: number) => ({ type: 'supervised' as const, supervised: { hyperparameters: { n_epochs } } });
  expect(requestedHyperparameters(body({ hyperparameters: { batch_size: 4 }, method: method(2) }))).toEqual({
    batch_size: 4,
    learning_rate_multiplier: 'auto',
    n_epochs: 2,
  });
  expect(refusal(() => requestedHyperparameters(body({ hyperparameters: { n_epochs: 3 }, method: method(2) })))).toEqual({
    code: 'invalid_value',
    param: 'hyperparameters.n_epochs',
  });
});

test('auto follows the documented rule', () => {
  expect([10, 33, 34, 1000, 8333, 8334, 20_000, 50_000].map(autoEpochs)).toEqual([10, 3, 3, 3, 3, 2, 1, 1]);
  expect([2, 10, 1000, 3000, 50_000, 1_000_000].map((rows) => autoBatchSize(rows, 1))).toEqual([2, 4, 4, 6, 100, 256]);
  expect(autoBatchSize(1000, 16)).toBe(16);
  expect(resolveHyperparameters({ ...auto, n_epochs: 2, batch_size: 8 }, 100, 1, null)).toEqual({ batch_size: 8, n_epochs: 2, steps: 26 });
  expect(resolveHyperparameters({ ...auto, n_epochs: 2, batch_size: 8 }, 100, 1, 7).steps).toBe(7);
});

test('a project has so many live jobs and no more', () => {
  expect(() => requireRoom({ count: () => LIMITS.liveJobs - 1 }, 'p')).not.toThrow();
  expect(refusal(() => requireRoom({ count: () => LIMITS.liveJobs }, 'p')).code).toBe('queue_full');
});

describe('classification', () => {
  const encoder = { ...model, head: 'none', default_adapter: 'full' } as const;
  const settings = (block: Parameters<typeof resolveSettings>[0], facts: typeof model | typeof encoder = model) =>
    resolveSettings(block, auto, facts, null);

  test("a model without a language model's head has no other task, and all of it is tuned", () => {
    expect(settings(undefined, encoder)).toMatchObject({ task: 'classification', adapter: { type: 'full' }, freeze: null });
    expect(refusal(() => settings({ task: 'completion' }, encoder))).toEqual({ code: 'invalid_value', param: 'tunefleet.task' });
  });

  test.each(['chat', 'completion', 'classification'] as const)('a language model keeps the task %s that it is given', (task) => {
    expect(settings({ task }).task).toBe(task);
  });

  test('a frozen backbone says the task and leaves no adapter', () => {
    const frozen = settings({ freeze: { backbone: true } });
    expect(frozen).toMatchObject({ task: 'classification', adapter: { type: 'full' }, freeze: { backbone: true } });
    expect(settings({ ...frozen })).toEqual(frozen);
    expect(settings({ freeze: { backbone: false } })).toMatchObject({ task: null, freeze: null });
    for (const [block, code, param] of [
      [{ adapter: { type: 'lora' } }, 'invalid_value', 'tunefleet.adapter.type'],
      [{ adapter: { rank: 4 } }, 'invalid_value', 'tunefleet.adapter.type'],
      [{ task: 'chat' as const }, 'invalid_value', 'tunefleet.freeze.backbone'],
    ] as const)
      expect(refusal(() => settings({ freeze: { backbone: true }, ...block }))).toEqual({ code, param });
  });

  test("LoRA of a classifier trains the head whole, under PEFT's names, and knows the family's layers", () => {
    const heads = ['classifier', 'score'];
    const over = settings({ base_precision: 'int4' }, encoder);
    expect(over).toMatchObject({ base_precision: 'int4', adapter: { type: 'lora', targets: 'all-linear', modules_to_save: heads } });
    expect(settings({ ...over }, encoder)).toEqual(over);
    const some = settings({ adapter: { targets: ['output.dense', 'query'], modules_to_save: ['pooler'] } }, encoder);
    expect(some.adapter).toMatchObject({ targets: ['query', 'output.dense'], modules_to_save: ['pooler', ...heads] });
    expect(settings({ task: 'classification', adapter: { targets: ['q_proj'] } }).adapter).toMatchObject({ modules_to_save: heads });
    for (const adapter of [{ targets: ['q_proj'] }, { targets: '.*_proj' }])
      expect(refusal(() => settings({ adapter }, encoder))).toEqual({ code: 'invalid_value', param: 'tunefleet.adapter.targets' });
    expect(refusal(() => settings({ adapter: { modules_to_save: ['lm_head'] } }, encoder)).param).toBe('tunefleet.adapter.modules_to_save');
  });

  test("a classifier's adapter goes on as one, a language model's does not become one", () => {
    const classifier = { ...model, head: 'classifier' } as const;
    const parent = { ...lora({ rank: 4 }), modules_to_save: ['classifier', 'score'] };
    expect(resolveSettings(undefined, auto, classifier, parent)).toMatchObject({ task: 'classification', adapter: parent });
    expect(refusal(() => resolveSettings({ task: 'classification' }, auto, model, lora({})))).toEqual({
      code: 'invalid_value',
      param: 'tunefleet.task',
    });
  });
});
