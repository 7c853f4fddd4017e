import { GraphBuilder } from '../graph/builder.js';
import { add } from '../ops/arithmetic.js';
import type { Provider } from '../provider.js';
import { compile } from './compile.js';
import { vulkanAdapters } from './native/vulkan.js';
import { requireProvider } from './providers.js';

export interface ChosenProvider {
  readonly provider: Provider;
  /** For people: why this one. */
  readonly reason: string;
}

/** Opens and runs the smallest graph there is. Throws where the provider is not part of this installation, or no device answers. */
export const tryProvider = async (provider: Provider): Promise<void> => {
  requireProvider(provider);
  const executable = await compile({ outputs: { y: add(new GraphBuilder().input('x', 'f32', [1]), 1) }, provider });
  try {
    await executable.run({ x: new Float32Array(1) });
  } finally {
    await executable.release();
  }
};

/** The name of a GPU that WebGPU will compute on; throws where there is none, or it cannot be told. */
const webgpuHardware = (): string => {
  if (process.platform !== 'linux') throw new Error(`on ${process.platform} ONNX Runtime does not tell whether its adapter is a GPU`);
  const adapters = vulkanAdapters();
  const hardware = adapters.find(({ software }) => !software);
  if (hardware) return hardware.name;
  throw new Error(
    adapters.length === 0 ? 'Vulkan has no adapter' : `its adapter is software: ${adapters.map(({ name }) => name).join(', ')}`,
  );
};

/** What `auto` would rather have than the CPU, first choice first: says what was found, or throws what is missing. */
const BETTER: readonly { readonly provider: Provider; readonly find: () => string }[] = [
  { provider: 'cuda', find: () => 'a CUDA device answers' },
  { provider: 'webgpu', find: () => `a GPU answers: ${webgpuHardware()}` },
];

/**
 * `auto`: cuda where its library lies here and a device answers, else WebGPU on a GPU, where it can be told from the CPU in disguise, else
 * the CPU; the reason says what was missing of the others. A provider asked for by name is that one, or an Error that names it.
 */
export const chooseProvider = async (wanted: Provider | 'auto'): Promise<ChosenProvider> => {
  if (wanted !== 'auto') {
    requireProvider(wanted);
    return { provider: wanted, reason: 'it was asked for' };
  }
  const missing: string[] = [];
  for (const { provider, find } of BETTER) {
    try {
      requireProvider(provider);
      const reason = find();
      await tryProvider(provider);
      return { provider, reason: [reason, ...missing].join(', ') };
    } catch (error) {
      missing.push(`no ${provider} (${error instanceof Error ? error.message : String(error)})`);
    }
  }
  return { provider: 'cpu', reason: missing.join(', ') };
};
