import { compile, copier, type Executable, GraphBuilder, matmul, type Provider, reduceSum } from '@tunefleet/tensor';
import { median } from '../median.js';

const [FEW, MANY] = [2, 12];
const RUNS = 5;
const WARM_UP = 2;

/**
 * Operations a second of ONNX Runtime's own MatMul on a provider: [size, size] products one after another, operands in its memory, one number read back.
 * The time of few is taken from that of many, so that what a run costs besides does not count.
 */
export async function productRate(provider: Provider, size: number, threads: number): Promise<number> {
  const mover = await copier(provider);
  const [x, w] = [mover.allocate([size, size]), mover.allocate([size, size])];
  const even = new Float32Array(size * size).fill(1 / size);
  for (const tensor of [x, w]) await mover.copy(even, tensor);
  const seconds: number[] = [];
  for (const products of [FEW, MANY]) {
    const executable = await chainOf(products, size, provider, threads);
    seconds.push(await medianSeconds(() => executable.run({ x, w })));
    await executable.release();
  }
  for (const tensor of [x, w]) tensor.release();
  await mover.release();
  return ((MANY - FEW) * 2 * size ** 3) / (seconds[1]! - seconds[0]!);
}

function chainOf(products: number, size: number, provider: Provider, threads: number): Promise<Executable> {
  const builder = new GraphBuilder();
  const [x, w] = ['x', 'w'].map((name) => builder.input(name, 'f32', [size, size]));
  let y = x!;
  for (let product = 0; product < products; product++) y = matmul(y, w!);
  return compile({ outputs: { sum: reduceSum(y) }, provider, threads, spinning: true });
}

async function medianSeconds(run: () => Promise<unknown>): Promise<number> {
  const taken: number[] = [];
  for (let count = 0; count < WARM_UP + RUNS; count++) {
    const started = performance.now();
    await run();
    taken.push((performance.now() - started) / 1000);
  }
  return median(taken.slice(WARM_UP));
}
