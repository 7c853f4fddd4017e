import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { TestEnvironment } from 'jest-environment-node';

// jest gives each test file its own realm; onnxruntime-node checks `instanceof Float32Array` against the outer one.
const SHARED = [
  'ArrayBuffer',
  'SharedArrayBuffer',
  'DataView',
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'Error',
  'TypeError',
  'RangeError',
];

// As libs/tensor's without-telemetry.ts: what a test file sets reaches its realm's copy of the environment, not ONNX Runtime.
process.env.ORT_DISABLE_TELEMETRY ??= '1';

export default class NodeRealmEnvironment extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    for (const name of SHARED) this.global[name] = globalThis[name];
    this.file = relative(process.cwd(), context.testPath);
    this.milliseconds = config.projectConfig.testEnvironmentOptions.milliseconds;
  }

  /** The project's time for a test, before the file's own jest.setTimeout. */
  handleTestEvent(event, state) {
    if (event.name === 'setup' && this.milliseconds) state.testTimeout = this.milliseconds;
    if (event.name === 'setup') this.isAt(`while ${this.file} loaded`);
    if (event.name === 'test_start') this.isAt(`in ${this.file}: ${event.test.name}`);
    if (event.name === 'run_finish') this.isAt(`after ${this.file}`);
  }

  /** For the runner (tools/test/suite.mjs), should native code end this process. */
  isAt(place) {
    const folder = process.env.TUNEFLEET_TEST_PLACES;
    if (folder) writeFileSync(join(folder, String(process.pid)), place);
  }
}
