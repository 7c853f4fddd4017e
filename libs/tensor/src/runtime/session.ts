import { InferenceSession } from 'onnxruntime-node';
import type { Provider } from '../lowering/legalize.js';
import { requireProvider } from './providers.js';

export interface SessionSettings {
  /** Default: cpu. A provider that is not there is an error, never another provider. */
  readonly provider?: Provider;
  /** Threads within an operator; bytes of results are promised per thread count. Default 1. */
  readonly threads?: number;
  /** Whether threads wait for the next operator by spinning: faster, for a session that runs without pause. Default false. */
  readonly spinning?: boolean;
  /** Keep a second copy of frozen weights in the layout that products like best (5 to 12 % faster). Default true. */
  readonly prepacking?: boolean;
  /** Beginning of the path of a file that times every operator of every run; it is whole once the executable is released. */
  readonly profile?: string;
}

/** Measured choices: the memory pattern nearly doubles the memory of activations; without the arena a step takes four times as long. */
const sessionOptions = ({
  provider = 'cpu',
  threads = 1,
  spinning = false,
  prepacking = true,
  profile,
}: SessionSettings): InferenceSession.SessionOptions => ({
  executionProviders: [provider],
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
  enableMemPattern: false,
  enableCpuMemArena: true,
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  // Only errors: warnings about unused initializers are ONNX Runtime's own business.
  logSeverityLevel: 3,
  ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
  extra: {
    session: {
      use_device_allocator_for_initializers: '1',
      disable_prepacking: prepacking ? '0' : '1',
      intra_op: { allow_spinning: spinning ? '1' : '0' },
    },
  },
});

/** By path, so that external weights are mapped from the file and the model may be larger than 2 GiB. */
export const createSession = async (path: string, settings: SessionSettings): Promise<InferenceSession> => {
  requireProvider(settings.provider ?? 'cpu');
  return InferenceSession.create(path, sessionOptions(settings));
};
