import { readConfig } from './config.js';
import { LaunchError } from './failure.js';
import { launch } from './launch.js';
import { SERVICES } from './services.js';
import { stopSignal } from './stop-signal.js';

// A reader that goes away must not end the fleet.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

try {
  await launch(readConfig(process.env), SERVICES, stopSignal());
  process.exit(0);
} catch (error) {
  const text = error instanceof LaunchError ? error.message : String(error instanceof Error ? error.stack : error);
  process.stderr.write(`tunefleet: ${text}\n`);
  process.exit(1);
}
