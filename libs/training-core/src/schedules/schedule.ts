// Learning-rate schedules as in transformers' get_scheduler: the rate of step s (counted from 0) is rate * factor(s),
// so with a warm-up the very first step has rate 0 and the last step is one short of the schedule's end.

export interface ScheduleSpec {
  type: 'constant' | 'linear' | 'cosine';
  /** share of all steps that rise linearly from 0; the number of steps is rounded up */
  warmup_ratio: number;
}

export type Schedule = (step: number) => number;

/** The factor, in [0, 1], on the learning rate of each step from 0 to `totalSteps - 1`. */
export function schedule(spec: ScheduleSpec, totalSteps: number): Schedule {
  const warmup = Math.ceil(totalSteps * spec.warmup_ratio);
  const decay = decayOf(spec.type);
  return (step) => {
    if (step < warmup) return step / Math.max(1, warmup);
    return decay((step - warmup) / Math.max(1, totalSteps - warmup));
  };
}

/** From progress in [0, 1] after the warm-up to the factor. */
function decayOf(type: ScheduleSpec['type']): (progress: number) => number {
  switch (type) {
    case 'constant':
      return () => 1;
    case 'linear':
      return (progress) => Math.max(0, 1 - progress);
    case 'cosine':
      return (progress) => Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
  }
}
