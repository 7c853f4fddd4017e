import { readConfig } from './config.js';
import { LaunchError } from './failure.js';
import { launch } from './launch.js';
import { SERVICES } from './services.js';

const stop = new AbortController();
// A second signal changes nothing: npm hands on the Ctrl-C that the terminal has already sent, and the drain is bounded.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
// A parent that forked us holds our life line.
process.on('disconnect', () => stop.abort());
// A reader that goes away must not end the fleet.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

try {
  await launch(readConfig(process.env), SERVICES, stop.signal);
  process.exit(0);
} catch (error) {
  const text = error instanceof LaunchError ? error.message : String(error instanceof Error ? error.stack : error);
  process.stderr.write(`tunefleet: ${text}\n`);
  process.exit(1);
}
