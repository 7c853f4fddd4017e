import type { MetricsRow } from '@tunefleet/training-core';

/** Nats a token by step; four decimals are more than a step's noise. */
export const lossCsv = (rows: readonly MetricsRow[]): string =>
  `step,loss,learning_rate,tokens\n${rows
    .map(({ step, train_loss, learning_rate, tokens }) => `${step},${train_loss.toFixed(4)},${learning_rate.toPrecision(4)},${tokens}`)
    .join('\n')}\n`;

const WIDTH = 640;
const HEIGHT = 320;
const MARGIN = 40;
/** Steps averaged into one point of the drawn curve: single steps differ by their texts more than by what was learned. */
const WINDOW = 20;

/** The loss by step, averaged over {@link WINDOW} steps, as a drawing. */
export function lossSvg(rows: readonly MetricsRow[]): string {
  const points: [step: number, loss: number][] = [];
  for (let start = 0; start < rows.length; start += WINDOW) {
    const part = rows.slice(start, start + WINDOW);
    points.push([part.at(-1)!.step, part.reduce((sum, { train_loss }) => sum + train_loss, 0) / part.length]);
  }
  const steps = rows.length;
  const highest = Math.ceil(Math.max(...points.map(([, loss]) => loss)));
  const x = (step: number): string => (MARGIN + (step / steps) * (WIDTH - 2 * MARGIN)).toFixed(1);
  const y = (loss: number): string => (HEIGHT - MARGIN - (loss / highest) * (HEIGHT - 2 * MARGIN)).toFixed(1);
  const path = points.map(([step, loss]) => `${x(step)},${y(loss)}`).join(' ');
  const marks = Array.from({ length: highest + 1 }, (_, loss) => loss).map(
    (loss) =>
      `<line x1="${MARGIN}" x2="${WIDTH - MARGIN}" y1="${y(loss)}" y2="${y(loss)}" stroke="#ddd"/><text x="${MARGIN - 8}" y="${y(loss)}" text-anchor="end" dominant-baseline="middle">${loss}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">
<title>Training loss by optimizer step</title>
<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>
${marks.join('\n')}
<polyline points="${path}" fill="none" stroke="#0a6" stroke-width="2"/>
<text x="${WIDTH / 2}" y="${HEIGHT - 10}" text-anchor="middle">optimizer step (${steps} in all)</text>
<text x="${MARGIN}" y="20">training loss, nats a token, mean of ${WINDOW} steps</text>
</svg>
`;
}
