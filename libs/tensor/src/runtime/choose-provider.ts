import { GraphBuilder } from '../graph/builder.js';
import type { Provider } from '../lowering/legalize.js';
import { add } from '../ops/arithmetic.js';
import { compile } from './compile.js';
import { requireProvider } from './providers.js';

export interface ChosenProvider {
  readonly provider: Provider;
  /** For people: why this one. */
  readonly reason: string;
}

/** Opens and runs the smallest graph there is. */
const works = async (provider: Provider): Promise<void> => {
  const executable = await compile({ outputs: { y: add(new GraphBuilder().input('x', 'f32', [1]), 1) }, provider });
  try {
    await executable.run({ x: new Float32Array(1) });
  } finally {
    await executable.release();
  }
};

/**
 * `auto`: cuda where its library lies here and a device answers, else the CPU. WebGPU is taken only where it is asked for: ONNX Runtime does not tell
 * whether its adapter is a GPU or the CPU in disguise. A provider asked for by name is that one, or an Error that names it.
 */
export const chooseProvider = async (wanted: Provider | 'auto'): Promise<ChosenProvider> => {
  if (wanted !== 'auto') {
    requireProvider(wanted);
    return { provider: wanted, reason: 'it was asked for' };
  }
  try {
    requireProvider('cuda');
    await works('cuda');
    return { provider: 'cuda', reason: 'a CUDA device answers' };
  } catch (error) {
    return { provider: 'cpu', reason: error instanceof Error ? error.message : String(error) };
  }
};
