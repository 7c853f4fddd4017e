import { GraphBuilder } from '../graph/builder.js';
import { stopGradient } from '../ops/unary.js';
import type { Provider } from '../provider.js';
import { compile } from './compile.js';
import type { DeviceTensor } from './device-tensor.js';
import { releaseAll } from './release-all.js';

/** Carries float32 tensors between this process's memory and a provider's: a graph that hands on what it is fed. */
export interface Copier {
  /** New float32 memory on the device. */
  allocate(shape: readonly number[]): DeviceTensor;
  copy(from: Float32Array, to: DeviceTensor): Promise<void>;
  /** Into `to`, or a new array. */
  read(from: DeviceTensor, to?: Float32Array): Promise<Float32Array>;
  release(): Promise<void>;
}

export const copier = async (provider: Provider): Promise<Copier> => {
  // ONNX Runtime knows any rank only by name, so that there is a graph for each.
  const graphs = new Map<number, ReturnType<typeof compile>>();
  const graphOfRank = (rank: number): ReturnType<typeof compile> => {
    const known = graphs.get(rank);
    if (known) return known;
    const x = new GraphBuilder().input(
      'x',
      'f32',
      Array.from({ length: rank }, (_, axis) => `axis${axis}`),
    );
    const made = compile({ outputs: { y: stopGradient(x) }, provider });
    graphs.set(rank, made);
    // One that could not be made is not there to be asked again, or to be released.
    made.catch(() => graphs.delete(rank));
    return made;
  };
  const first = await graphOfRank(1);
  return {
    allocate: (shape) => first.onDevice('f32', shape),
    async copy(from, to) {
      const graph = await graphOfRank(to.shape.length);
      await graph.run({ x: { data: from, shape: to.shape } }, ['y'], { y: to });
    },
    async read(from, to = new Float32Array(from.shape.reduce((a, b) => a * b, 1))) {
      const graph = await graphOfRank(from.shape.length);
      await graph.run({ x: from }, ['y'], { y: to });
      return to;
    },
    async release() {
      await releaseAll([...graphs.values()].map((graph) => async () => (await graph).release()));
    },
  };
};
