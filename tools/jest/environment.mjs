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
    this.milliseconds = config.projectConfig.testEnvironmentOptions.milliseconds;
  }

  /** The project's time for a test, before the file's own jest.setTimeout. */
  handleTestEvent(event, state) {
    if (event.name === 'setup' && this.milliseconds) state.testTimeout = this.milliseconds;
  }
}
