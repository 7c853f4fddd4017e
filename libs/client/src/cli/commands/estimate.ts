import type { FineTuningEstimate } from '@tunefleet/contracts';
import type { Command } from 'commander';
import { connect, type Define } from '../context.js';
import { type CreateOptions, wholeBody, withJobOptions } from './jobs.js';

/** The command `estimate`: what a job would take. */
export function estimateCommand(program: Command, define: Define): void {
  define(
    withJobOptions(program.command('estimate').description('tokens, time and memory of a job before it runs')),
    async (options: CreateOptions) => {
      const fleet = connect();
      const object = await fleet.openai.post<FineTuningEstimate>('/fine_tuning/estimate', { body: await wholeBody(fleet, options) });
      const { tokens, truncated_rows, steps, seconds, peak_memory_bytes, error } = object;
      const within = (share: number): string => `within ${Math.round(100 * share)} %`;
      const text = [
        `tokens     ${tokens}${truncated_rows > 0 ? ` (${truncated_rows} rows truncated)` : ''}`,
        `steps      ${steps}`,
        `time       ${seconds.toFixed(1)} s, ${within(error.seconds)}`,
        `memory     ${Math.ceil(peak_memory_bytes / 1e6)} MB, ${within(error.peak_memory_bytes)}`,
      ];
      return { object, text: text.join('\n') };
    },
  );
}
