/** Our side, a process of its own: node ours.js BASE WORK.json THREADS. The seconds hold all of the run: loading, compiling, ten checkpoints, the result. */
import { peakMegabytes, trainSst2 } from '../encoder.js';

const started = performance.now();
await trainSst2<{ epochs: number }>(
  ({ epochs }) => ({ epochs, freeze: { backbone: true } }),
  () => {},
);
const seconds = (performance.now() - started) / 1000;
process.stdout.write(`${JSON.stringify({ value: seconds, seconds, peak_rss_mb: peakMegabytes() })}\n`);
