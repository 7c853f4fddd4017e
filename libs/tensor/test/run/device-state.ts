import { expect } from '@jest/globals';
import * as t from '../../src/index.js';

const wave = (length: number, seed: number): Float32Array => Float32Array.from({ length }, (_, at) => Math.sin(at * 12.9898 + seed));

/** Momentum: v' = 0.9 v + p + 0.5; p' = keep p - 0.1 v'. */
const momentum = (): Record<'p.next' | 'v.next', t.Value> => {
  const g = new t.GraphBuilder();
  const [p, v, keep] = [g.input('p', 'f32', ['n']), g.input('v', 'f32', ['n']), g.input('keep', 'f32', [])];
  const next = t.add(t.mul(v, 0.9), t.add(p, 0.5));
  return { 'p.next': t.sub(t.mul(p, keep), t.mul(next, 0.1)), 'v.next': next };
};

/** 50 steps on state that never leaves the device against the same in float32 on the CPU, state copied each time. */
export const expectDeviceState = async (provider: t.Provider): Promise<void> => {
  const n = 1000;
  const device = await t.compile({ outputs: momentum(), provider, inPlace: { 'p.next': 'p', 'v.next': 'v' } });
  const [p, v] = [device.onDevice('f32', [n]), device.onDevice('f32', [n])];
  const mover = await t.copier(provider);
  await mover.copy(wave(n, 1), p);
  await mover.copy(wave(n, 2), v);
  const keep = Float32Array.of(1);
  for (let step = 0; step < 50; step++) {
    expect(await device.run({ p, v, keep }, device.outputNames, { 'p.next': p, 'v.next': v })).toEqual({});
  }
  const found = await mover.read(p);

  const copied = await t.compile({ outputs: momentum(), engineInterface: 'node' });
  let state: Record<'p' | 'v', t.Tensor> = { p: { data: wave(n, 1), shape: [n] }, v: { data: wave(n, 2), shape: [n] } };
  for (let step = 0; step < 50; step++) {
    const next = await copied.run({ ...state, keep });
    state = { p: next['p.next']!, v: next['v.next']! };
  }
  for (const [at, element] of state.p.data.entries())
    expect(Math.abs(found[at]! - element)).toBeLessThan(provider === 'cpu' ? 1e-30 : 1e-3);
  await expect(device.run({ p, v, keep }, device.outputNames, { 'p.next': v })).rejects.toThrow(/would be written over "v"/);
  p.release();
  await expect(device.run({ p, v, keep })).rejects.toThrow(/was released/);
  v.release();
  await mover.release();
  await device.release();
  await copied.release();
};
