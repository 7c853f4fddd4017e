import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import * as t from '../../src/index.js';

const LAYERS = 4;
const [WIDTH, INNER] = [16, 24];
const noise = (length: number, seed: number): Float32Array => Float32Array.from({ length }, (_, at) => Math.sin(at * 12.9898 + seed) * 0.3);
const layerOf = (scope: string): string => /^layers\.\d+/.exec(scope)?.[0] ?? '';
const layers = (scope: string): string[] => (layerOf(scope) === '' ? [] : [layerOf(scope)]);
/** Within a layer, each half of its inner part too. */
const halves = (scope: string): string[] => {
  const half = /^layers\.\d+\/half\.\d/.exec(scope)?.[0];
  return half === undefined ? layers(scope) : [layerOf(scope), half];
};

/** Residual layers of frozen and trained products, each with an inner part in two halves, and a loss that keeps the last state. */
const build = (tokens: t.Dimension, options: t.BackwardOptions) => {
  const g = new t.GraphBuilder();
  let x = g.input('x', 'f32', [tokens, WIDTH]);
  const weights: t.Value[] = [];
  for (let layer = 0; layer < LAYERS; layer++) {
    x = g.scope(`layers.${layer}`, () => {
      const up = g.frozen(`up.${layer}`, [INNER, WIDTH], { data: noise(INNER * WIDTH, layer) });
      const down = g.parameter(`down.${layer}`, [WIDTH, INNER]);
      weights.push(down);
      const wide = t.linear(t.rmsNorm(x, g.constant(new Float32Array(WIDTH).fill(1)), 1e-5), up);
      const parts = [0, 1].map((half) =>
        g.scope(`half.${half}`, () => t.silu(t.slice(wide, 1, (half * INNER) / 2, ((half + 1) * INNER) / 2))),
      );
      return t.add(x, t.linear(t.concat(parts as [t.Value, t.Value], 1), down));
    });
  }
  const loss = g.scope('loss', () => t.reduceMean(t.square(x)));
  const largest = g.scope('largest', () => t.reduceMax(x));
  const found = t.gradients(loss, weights, { first: [loss, largest], part: layerOf, ...options });
  return { loss, largest, ...Object.fromEntries(found.map((value, layer) => [`d${layer}`, value])) };
};

const feedsOf = (tokens: number): Record<string, t.Tensor | t.TensorData> => ({
  x: noise(tokens * WIDTH, 9),
  ...Object.fromEntries(Array.from({ length: LAYERS }, (_, layer) => [`down.${layer}`, noise(WIDTH * INNER, layer + 20)])),
});

/** Runs once; results, and the nodes in the order in which ONNX Runtime ran them, but for those that only tie it: they compute nothing. */
const profiled = async (outputs: Record<string, t.Value>, tokens: number, threads: number) => {
  const folder = mkdtempSync(join(process.env['TMPDIR'] ?? tmpdir(), 'tunefleet-recompute-'));
  const executable = await t.compile({ outputs, threads, profile: join(folder, 'run') });
  const results = await executable.run(feedsOf(tokens));
  await executable.release();
  const nodes = t.readProfile(join(folder, 'run')).flatMap(({ node }) => (node.includes('/after.') ? [] : [node]));
  rmSync(folder, { recursive: true });
  return { results, nodes };
};

const places = (nodes: readonly string[], start: string): number[] =>
  nodes.flatMap((node, place) => (node.startsWith(start) ? [place] : []));
const first = (nodes: readonly string[], start: string): number => Math.min(...places(nodes, start));
const last = (nodes: readonly string[], start: string): number => Math.max(...places(nodes, start));

const sizes: [t.Dimension, number][] = [
  ['tokens', 1],
  ['tokens', 2],
  [7, 1],
  [7, 2],
];

test.each(sizes)(
  'recomputed layers run in the backward pass and nowhere else, one by one (%s tokens, %s threads)',
  async (tokens, threads) => {
    const plain = build(tokens, {});
    const { results, nodes } = await profiled(build(tokens, { recompute: layers }), 7, threads);
    const begun = Math.max(first(nodes, 'loss'), last(nodes, 'largest'));
    for (let layer = 0; layer < LAYERS; layer++) {
      const again = places(nodes, `recomputed/layers.${layer}/`);
      // What the backward pass reads of a layer is computed a second time: nothing was merged away.
      const computed = ['/rmsNorm', '/matmul', '/silu'].map((op) => again.filter((place) => nodes[place]!.includes(op)).length);
      expect([layer, ...computed]).toEqual([layer, 1, 1, 2]);
      expect(Math.min(...again)).toBeGreaterThan(begun);
      if (layer < LAYERS - 1) expect(Math.min(...again)).toBeGreaterThan(last(nodes, `backward/layers.${layer + 1}/`));
      expect(last(nodes, `layers.${layer}/`)).toBeLessThan(begun);
    }
    const exact = t.evaluate(plain, feedsOf(7));
    for (const [name, { data }] of Object.entries(exact)) {
      for (const [at, element] of data.entries()) expect(results[name]!.data[at]).toBeCloseTo(element, 5);
    }
  },
);

test('without recomputation too, all gradients of a layer are there before the next layer is begun', async () => {
  const { nodes } = await profiled(build('tokens', {}), 7, 1);
  expect(nodes.some((node) => node.startsWith('recomputed/'))).toBe(false);
  const products = nodes.filter((node) => node.includes('/matmul.'));
  for (let layer = 1; layer < LAYERS; layer++) {
    expect(places(products, `backward/layers.${layer}/`)).toHaveLength(3);
    expect(last(products, `backward/layers.${layer}/`)).toBeLessThan(first(products, `backward/layers.${layer - 1}/`));
  }
});

test('parts within recomputed parts are computed a third time, and mean the same', async () => {
  const { results, nodes } = await profiled(build('tokens', { recompute: halves }), 7, 1);
  const activations = places(nodes, 'recomputed/layers.2/half.0').filter((place) => nodes[place]!.includes('silu'));
  const plain = await profiled(build('tokens', { recompute: layers }), 7, 1);
  const once = places(plain.nodes, 'recomputed/layers.2/half.0').filter((place) => plain.nodes[place]!.includes('silu'));
  expect(activations.length).toBeGreaterThan(once.length);
  const exact = t.evaluate(build('tokens', {}), feedsOf(7));
  const again = t.evaluate(build('tokens', { recompute: halves }), feedsOf(7));
  for (const [name, { data }] of Object.entries(exact)) {
    expect(again[name]!.data).toEqual(data);
    for (const [at, element] of data.entries()) expect(results[name]!.data[at]).toBeCloseTo(element, 5);
  }
});

test('after: the first input as it is, whatever the events are, and its gradient', async () => {
  const g = new t.GraphBuilder();
  const [x, rows, ids] = [g.input('x', 'f32', ['n', 2]), g.input('rows', 'f32', [3]), g.input('ids', 'i32', [0])];
  const tied = t.after(x, [rows, ids, t.reduceSum(rows), t.exp(x)]);
  const scalar = t.after(t.reduceSum(x), [rows]);
  const [dx] = t.gradients(t.reduceSum(t.mul(tied, t.mul(tied, scalar))), [x]);
  const plain = t.gradients(t.reduceSum(t.mul(x, t.mul(x, t.reduceSum(x)))), [x])[0];
  const outputs = { tied, scalar, dx, plain };
  const feeds = { x: { data: noise(6, 1), shape: [3, 2] }, rows: noise(3, 2), ids: new Int32Array(0) };
  const exact = t.evaluate(outputs, feeds);
  expect([...exact['tied']!.data]).toEqual([...feeds.x.data]);
  expect(exact['dx']!.data).toEqual(exact['plain']!.data);
  const executable = await t.compile({ outputs });
  const found = await executable.run(feeds);
  await executable.release();
  expect(found['tied']).toEqual({ data: feeds.x.data, shape: [3, 2] });
  expect(found['scalar']!.shape).toEqual([]);
  for (const [at, element] of exact['dx']!.data.entries()) expect(found['dx']!.data[at]).toBeCloseTo(element, 6);
});
