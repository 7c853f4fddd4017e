import type { TensorData } from '../graph/feeds.js';
import type { DType } from '../graph/value.js';
import { DeviceTensor } from './device-tensor.js';
import type { EngineSession, FedTensor, OutputPlace } from './engine-session.js';
import { InferenceSession, Tensor as OrtTensor } from './onnxruntime.js';
import { releaseTensors } from './release-tensors.js';
import type { ResolvedSettings } from './settings.js';

const ORT_TYPE: Readonly<Record<DType, 'float32' | 'float16' | 'int32' | 'bool' | 'uint4'>> = {
  f32: 'float32',
  f16: 'float16',
  i32: 'int32',
  bool: 'bool',
  i4: 'uint4',
};

const onHost = (data: TensorData | DeviceTensor): TensorData => (data instanceof DeviceTensor ? noDevice() : data);

const noDevice = (): never => {
  throw new Error('tensors that stay on the device need the native interface to ONNX Runtime, which koffi could not load here');
};

/** "session.intra_op.allow_spinning" -> {session: {intra_op: {allow_spinning}}}, as onnxruntime-node takes them. */
const nested = (entries: Readonly<Record<string, string>>): Record<string, unknown> => {
  const root: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(entries)) {
    const parts = key.split('.');
    let at = root;
    for (const part of parts.slice(0, -1)) {
      at[part] ??= {};
      at = at[part] as Record<string, unknown>;
    }
    at[parts.at(-1)!] = value;
  }
  return root;
};

/** A session by onnxruntime-node's own interface: blocks the event loop, copies outputs. For where the C interface cannot be had. */
export class NodeSession implements EngineSession {
  readonly #session: InferenceSession;

  private constructor(session: InferenceSession) {
    this.#session = session;
  }

  static async open(path: string, { provider, threads, entries, profile, optimization, saveTo }: ResolvedSettings): Promise<NodeSession> {
    const session = await InferenceSession.create(path, {
      executionProviders: [provider],
      executionMode: 'sequential',
      graphOptimizationLevel: optimization === 'none' ? 'disabled' : 'all',
      ...(saveTo === null ? {} : { optimizedModelFilePath: saveTo }),
      enableMemPattern: false,
      enableCpuMemArena: true,
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      // Only errors: warnings about unused initializers are ONNX Runtime's own business.
      logSeverityLevel: 3,
      ...(profile === null ? {} : { enableProfiling: true, profileFilePrefix: profile }),
      extra: nested(entries),
    });
    return new NodeSession(session);
  }

  async run(
    feeds: Readonly<Record<string, FedTensor>>,
    outputs: Readonly<Record<string, OutputPlace>>,
  ): Promise<Record<string, TensorData>> {
    const fed = Object.entries(feeds).map(
      ([name, { dtype, shape, data }]) => [name, new OrtTensor(ORT_TYPE[dtype], onHost(data), shape)] as const,
    );
    const found = await this.#session.run(Object.fromEntries(fed), Object.keys(outputs));
    const results: Record<string, TensorData> = {};
    for (const [name, { data }] of Object.entries(outputs)) {
      const fresh = found[name]!.data as TensorData;
      results[name] = data ? onHost(data) : fresh;
      if (!data) continue;
      results[name].set(fresh);
      releaseTensors([{ data: fresh, shape: [] }]);
    }
    return results;
  }

  allocate(): DeviceTensor {
    return noDevice();
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}
