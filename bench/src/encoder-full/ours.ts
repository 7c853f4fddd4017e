/** Our side, a process of its own: node ours.js BASE WORK.json THREADS. */
import { peakMegabytes, trainSst2 } from '../encoder.js';

let started = 0;
await trainSst2<{ warm_up: number }>(
  () => ({ epochs: 1 }),
  ({ step }, { ids, batch, warm_up }) => {
    if (step === warm_up) started = performance.now();
    if (step !== ids.length / batch) return;
    const seconds = (performance.now() - started) / 1000;
    process.stdout.write(`${JSON.stringify({ value: ((step - warm_up) * batch) / seconds, seconds, peak_rss_mb: peakMegabytes() })}\n`);
  },
);
