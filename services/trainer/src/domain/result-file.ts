import type { MetricsRow } from '@tunefleet/contracts';

const HEADER = 'step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy';

/** OpenAI's result file: one line an optimizer step, full float precision, empty where nothing was measured. */
export function resultCsv(rows: MetricsRow[]): string {
  const lines = rows.map((row) => [row.step, row.train_loss, row.train_accuracy, row.valid_loss ?? '', row.valid_accuracy ?? ''].join(','));
  return `${[HEADER, ...lines].join('\n')}\n`;
}
