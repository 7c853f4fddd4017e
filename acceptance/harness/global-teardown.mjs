import { once } from 'node:events';
import { rmSync } from 'node:fs';

export default async function tearDown() {
  const fleet = globalThis.acceptanceFleet;
  if (!fleet) return;
  const exited = fleet.child.exitCode === null ? once(fleet.child, 'exit') : null;
  fleet.child.kill('SIGTERM');
  await exited;
  if (process.env.TUNEFLEET_KEEP_DATA) process.stderr.write(`kept ${fleet.data}\n`);
  else rmSync(fleet.data, { recursive: true, force: true });
}
