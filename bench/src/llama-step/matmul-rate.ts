import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile, type Feed, GraphBuilder, matmul, operationsOf, type ProductCount, readProfile } from '@tunefleet/tensor';

const RUNS = 7;
const WARM_UP = 2;

/** Seconds that ONNX Runtime's own MatMul takes for products of these sizes, by its profile: plain row-major operands, frozen ones pre-packed. */
export async function matmulSeconds(products: readonly ProductCount[], threads: number): Promise<number> {
  let total = 0;
  for (const product of products) total += product.count * (await secondsOfOne(product, threads));
  return total;
}

/** Operations a second over all of the products. */
export const rateOf = (products: readonly ProductCount[], seconds: number): number =>
  products.reduce((sum, product) => sum + operationsOf(product), 0) / seconds;

async function secondsOfOne({ batch, m, k, n, frozen }: ProductCount, threads: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'tunefleet-matmul-'));
  try {
    const builder = new GraphBuilder();
    const lead = batch === 1 ? [] : [batch];
    const a = builder.input('a', 'f32', [...lead, m, k]);
    const data = new Float32Array(batch * k * n).fill(0.5);
    const b = frozen ? builder.frozen('b', [...lead, k, n], { data }) : builder.input('b', 'f32', [...lead, k, n]);
    const profile = join(folder, 'profile');
    const executable = await compile({ outputs: { y: matmul(a, b) }, threads, spinning: true, profile });
    const feeds: Record<string, Feed> = { a: new Float32Array(batch * m * k).fill(0.5), ...(frozen ? {} : { b: data }) };
    for (let run = 0; run < RUNS; run++) await executable.run(feeds);
    await executable.release();
    const times = readProfile(profile).flatMap(({ operator, duration }) => (operator.endsWith('MatMul') ? [duration] : []));
    const sorted = times.slice(WARM_UP).sort((x, y) => x - y);
    return sorted[Math.floor(sorted.length / 2)]! / 1e6;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
