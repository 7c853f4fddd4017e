import { expect } from '@jest/globals';
import type { FineTuningJob, FineTuningJobCheckpoint, FineTuningJobEvent, MetricsRow } from '@tunefleet/contracts';
import { rows } from './dataset-stand-in.js';
import type { List } from './fleet.js';
import { useFleet } from './use-fleet.js';
import { ended, until } from './wait.js';

const { fleet, test } = useFleet(({ dataset }) => {
  dataset.add('file-train', rows(60));
  dataset.add('file-valid', rows(12, 7));
});

test('a job goes through to a version, its result file, checkpoints, metrics and canonical events', async () => {
  const created = await fleet.api<FineTuningJob>('POST', '/jobs', {
    model: 'tiny',
    training_file: 'file-train',
    validation_file: 'file-valid',
    suffix: 'first',
    hyperparameters: { n_epochs: 2, batch_size: 4 },
    tunefleet: { micro_batch_size: 4, snapshot: { every_steps: 4 } },
    metadata: { team: 'a' },
  });
  expect(created).toMatchObject({
    status: 200,
    body: { object: 'fine_tuning.job', status: 'validating_files', error: null, organization_id: 'default' },
  });
  const job = await ended(fleet, created.body.id);
  expect(job).toMatchObject({
    status: 'succeeded',
    error: null,
    hyperparameters: { n_epochs: 2, batch_size: 4, learning_rate_multiplier: 1 },
  });
  expect(job.fine_tuned_model).toBe(`ft:tiny:default:first:${job.id.slice('ftjob-'.length)}`);
  expect(job.trained_tokens).toBeGreaterThan(0);
  const metrics = await fleet.api<List<MetricsRow>>('GET', `/jobs/${job.id}/metrics`);
  expect(metrics.body.data.map((row) => row.step)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
  const csv = fleet.dataset.results.get(job.result_files[0]!)!.trim().split('\n');
  expect(csv[0]).toBe('step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy');
  expect(csv.length).toBe(31);
  expect(Number(csv[1]!.split(',')[1])).toBe(metrics.body.data[0]!.train_loss);
  const checkpoints = await fleet.api<List<FineTuningJobCheckpoint>>('GET', `/jobs/${job.id}/checkpoints`);
  expect(checkpoints.body.data.map((c) => c.fine_tuned_model_checkpoint)).toEqual([
    `${job.fine_tuned_model}:ckpt-step-30`,
    `${job.fine_tuned_model}:ckpt-step-15`,
  ]);
  const events = await fleet.api<List<FineTuningJobEvent>>('GET', `/jobs/${job.id}/events?limit=100`);
  const messages = events.body.data.filter((event) => event.type === 'message').map((event) => event.message);
  expect(messages.reverse()).toEqual([
    'Created fine-tuning job',
    'Validating training file: file-train and validation file: file-valid',
    'Files validated, moving job to queued state',
    'Fine-tuning job started',
    'Checkpoint created at step 15',
    'Checkpoint created at step 30',
    `New fine-tuned model created: ${job.fine_tuned_model}`,
    'Fine tuning job successfully completed',
  ]);
  const objects = () =>
    fleet.objects(`default/jobs/${job.id}`).filter((path) => !/^attempts\/1\/(result|checkpoints\/(15|30))\//.test(path));
  await until(async () => objects().length === 2, 'snapshots to be deleted');
  expect(objects()).toEqual(['metrics.jsonl', 'step_metrics.csv']);
  expect((await fleet.api<List<MetricsRow>>('GET', `/jobs/${job.id}/metrics`)).body).toEqual(metrics.body);
  expect((await fleet.api<List<FineTuningJobEvent>>('GET', `/jobs/${job.id}/events?limit=100`)).body).toEqual(events.body);
}, 60_000);
