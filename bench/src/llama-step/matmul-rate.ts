import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  compile,
  type Feed,
  GraphBuilder,
  matmul,
  operationsOf,
  type ProductCount,
  readProfile,
  reduceMax,
  releaseTensors,
  type Value,
} from '@tunefleet/tensor';
import { median } from '../median.js';

const RUNS = 20;
const WARM_UP = 4;

/**
 * Seconds that ONNX Runtime's own MatMul takes for products of these sizes, by its profile: plain row-major operands, frozen ones pre-packed. All sizes take
 * turns in one session, so that none is measured on cold threads or in a moment that others disturb; of each the median counts.
 */
export async function matmulSeconds(products: readonly ProductCount[], threads: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'tunefleet-matmul-'));
  try {
    const builder = new GraphBuilder();
    const feeds: Record<string, Feed> = {};
    const input = (name: string, shape: number[]): Value => {
      feeds[name] = filled(shape);
      return builder.input(name, 'f32', shape);
    };
    const results = products.map(({ batch, m, k, n, frozen }, at) => {
      const lead = batch === 1 ? [] : [batch];
      const [left, right] = [
        [...lead, m, k],
        [...lead, k, n],
      ];
      const b = frozen ? builder.frozen(`b${at}`, right, { data: filled(right) }) : input(`b${at}`, right);
      const a = input(`a${at}`, left);
      return builder.scope(`product${at}`, () => matmul(a, b));
    });
    const profile = join(folder, 'profile');
    // What is fetched is one number of each: a fetched product lies in new memory in every run, whose pages cost as much as the product.
    const outputs = Object.fromEntries(results.map((value, at) => [`y${at}`, reduceMax(value)]));
    const executable = await compile({ outputs, threads, spinning: true, profile });
    for (let run = 0; run < RUNS; run++) releaseTensors(Object.values(await executable.run(feeds)));
    await executable.release();
    const times = results.map((): number[] => []);
    for (const { node, operator, duration } of readProfile(profile)) {
      const at = /^product(\d+)\//.exec(node)?.[1];
      if (at !== undefined && operator.endsWith('MatMul')) times[Number(at)]!.push(duration / 1e6);
    }
    return products.reduce((sum, { count }, at) => sum + count * median(times[at]!.slice(WARM_UP)), 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Operations a second over all of the products. */
export const rateOf = (products: readonly ProductCount[], seconds: number): number =>
  products.reduce((sum, product) => sum + operationsOf(product), 0) / seconds;

const filled = (shape: readonly number[]): Float32Array => new Float32Array(shape.reduce((x, y) => x * y)).fill(0.5);
