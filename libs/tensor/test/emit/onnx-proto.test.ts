import { expect, test } from '@jest/globals';
import { encodeModel, type OnnxModel } from '../../src/emit/onnx-proto.js';

type Field = bigint | Buffer;

/** Fields of a protocol buffers message by number, in order: varints as integers of 64 bits, the others as bytes. */
const fieldsOf = (bytes: Uint8Array): Map<number, Field[]> => {
  const buffer = Buffer.from(bytes);
  const fields = new Map<number, Field[]>();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = buffer[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, value);
    }
  };
  const bytesOf = (length: number): Buffer => {
    at += length;
    return buffer.subarray(at - length, at);
  };
  while (at < buffer.length) {
    const tag = Number(varint());
    const [number, wire] = [tag >> 3, tag & 7];
    const value = wire === 0 ? varint() : bytesOf(wire === 5 ? 4 : Number(varint()));
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
};

const inner = (fields: Map<number, Field[]>, number: number): Map<number, Field[]>[] =>
  (fields.get(number) ?? []).map((field) => fieldsOf(field as Buffer));
const text = (fields: Map<number, Field[]>, number: number): string[] => (fields.get(number) ?? []).map((field) => field.toString());

const MODEL: OnnxModel = {
  nodes: [
    {
      type: 'Gemm',
      domain: 'com.microsoft',
      name: 'größe',
      inputs: ['a', ''],
      outputs: ['b'],
      attributes: { axis: -1, shape: [0, -1, 300], mode: 'x', alpha: { float: 0.5 } },
    },
  ],
  initializers: [
    { name: 'inside', type: 1, shape: [2], bytes: Uint8Array.of(1, 2, 3, 255) },
    { name: 'outside', type: 1, shape: [300, 5], bytes: { location: 'weights.bin', offset: 5_000_000_000, length: 6000 } },
  ],
  inputs: [{ name: 'a', type: 1, shape: ['tokens', 4] }],
  outputs: [{ name: 'b', type: 7, shape: [] }],
  between: [{ name: 'c', type: 1, shape: [200] }],
};
const model = fieldsOf(encodeModel(MODEL));
const [graph] = inner(model, 7) as [Map<number, Field[]>];

test('a node carries its names, and each kind of attribute with its type', () => {
  const [node] = inner(graph, 1) as [Map<number, Field[]>];
  expect([text(node, 1), text(node, 2), text(node, 3), text(node, 4), text(node, 7)]).toEqual([
    ['a', ''],
    ['b'],
    ['größe'],
    ['Gemm'],
    ['com.microsoft'],
  ]);
  const attributes = new Map(inner(node, 5).map((attribute) => [text(attribute, 1)[0], attribute]));
  expect([attributes.get('axis')?.get(3), attributes.get('axis')?.get(20)]).toEqual([[-1n], [2n]]);
  expect([attributes.get('shape')?.get(8), attributes.get('shape')?.get(20)]).toEqual([[0n, -1n, 300n], [7n]]);
  expect([text(attributes.get('mode')!, 4), attributes.get('mode')?.get(20)]).toEqual([['x'], [3n]]);
  const [alpha] = attributes.get('alpha')!.get(2) as [Buffer];
  expect(alpha.readFloatLE()).toBe(0.5);
});

test('weights lie in the model or say where they lie, beyond 4 GiB too', () => {
  const [inside, outside] = inner(graph, 5) as [Map<number, Field[]>, Map<number, Field[]>];
  expect([inside.get(1), inside.get(9)]).toEqual([[2n], [Buffer.of(1, 2, 3, 255)]]);
  expect(outside.get(1)).toEqual([300n, 5n]);
  const places = Object.fromEntries(inner(outside, 13).map((entry) => [text(entry, 1)[0], text(entry, 2)[0]]));
  expect(places).toEqual({ location: 'weights.bin', offset: '5000000000', length: '6000' });
  expect(outside.get(14)).toEqual([1n]);
});

test('inputs, outputs and values between have types and sizes by number or name', () => {
  const ports = [11, 12, 13].map((number) => {
    const [port] = inner(graph, number) as [Map<number, Field[]>];
    const [tensor] = inner(inner(port, 2)[0]!, 1) as [Map<number, Field[]>];
    const dimensions = inner(inner(tensor, 2)[0]!, 1).map((dimension) => dimension.get(1)?.[0] ?? text(dimension, 2)[0]);
    return [text(port, 1)[0], tensor.get(1)?.[0], dimensions];
  });
  expect(ports).toEqual([
    ['a', 1n, ['tokens', 4n]],
    ['b', 7n, []],
    ['c', 1n, [200n]],
  ]);
  expect(model.get(1)).toEqual([10n]);
});
