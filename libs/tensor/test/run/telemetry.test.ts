import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';

const run = promisify(execFile);
const PROGRAM = `
  import { add, compile, GraphBuilder } from '@tunefleet/tensor';
  const executable = await compile({ outputs: { y: add(new GraphBuilder().input('x', 'f32', [1]), 1) } });
  await executable.run({ x: new Float32Array(1) });
  await executable.release();`;

// Where it does, it keeps a device's identity and a queue of events in the home folder from the first session on.
test('ONNX Runtime does not collect what it would send to Microsoft', async () => {
  const home = await mkdtemp(join(tmpdir(), 'tunefleet-telemetry-'));
  try {
    // Nothing of this process's environment: a runner of tests may have turned it off, and ONNX Runtime looks for CI by its variables.
    const env = { PATH: process.env['PATH'], HOME: home, XDG_CACHE_HOME: home, TMPDIR: home };
    const cwd = fileURLToPath(new URL('../..', import.meta.url));
    await run(process.execPath, ['--input-type=module', '--eval', PROGRAM], { cwd, env });
    expect(await readdir(home)).toEqual([]);
  } finally {
    await rm(home, { recursive: true });
  }
});
