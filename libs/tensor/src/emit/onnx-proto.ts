// The few messages of onnx.proto that a model of tensors needs, written by hand: field numbers are those of onnx.proto3, IR version 10.

/** An integer, a list of integers, a string, or a float (wrapped, since a JavaScript number does not say which it is). */
export type OnnxAttribute = number | readonly number[] | string | { readonly float: number };

export interface OnnxNode {
  readonly type: string;
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

export interface OnnxInitializer {
  readonly name: string;
  /** TensorProto.DataType */
  readonly type: number;
  readonly shape: readonly number[];
  /** Little-endian elements inside the model, or where they lie in another file. */
  readonly bytes: Uint8Array | { readonly location: string; readonly offset: number; readonly length: number };
}

export interface OnnxPort {
  readonly name: string;
  readonly type: number;
  readonly shape: readonly (number | string)[];
}

export interface OnnxModel {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxInitializer[];
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
  /** Types and sizes of values that are neither inputs nor outputs. */
  readonly between: readonly OnnxPort[];
}

const IR_VERSION = 10;
const OPSET = 21;

/** Protocol buffers wire format: varints, fixed 32 bit, and length-delimited bytes, one after another in one growing buffer. */
class Message {
  #bytes = Buffer.allocUnsafe(64);
  #length = 0;

  varint(field: number, value: number): this {
    this.#tag(field, 0);
    this.#varint(value);
    return this;
  }

  float(field: number, value: number): this {
    this.#tag(field, 5);
    this.#reserve(4);
    this.#length = this.#bytes.writeFloatLE(value, this.#length);
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#tag(field, 2);
    this.#varint(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  string(field: number, value: string): this {
    const length = Buffer.byteLength(value);
    this.#tag(field, 2);
    this.#varint(length);
    this.#reserve(length);
    this.#length += this.#bytes.write(value, this.#length);
    return this;
  }

  message(field: number, value: Message): this {
    return this.bytes(field, value.finish());
  }

  /** Until the next field is added. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #tag(field: number, wire: number): void {
    this.#varint((field << 3) | wire);
  }

  #varint(value: number): void {
    this.#reserve(10);
    if (value < 0) {
      this.#negative(BigInt.asUintN(64, BigInt(value)));
      return;
    }
    let rest = value;
    // Not by shifts, which stop at 32 bits.
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
    this.#bytes[this.#length++] = rest;
  }

  /** In two's complement of 64 bits: always ten bytes. */
  #negative(value: bigint): void {
    let rest = value;
    for (; rest >= 0x80n; rest >>= 7n) this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
    this.#bytes[this.#length++] = Number(rest);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#length + count));
    grown.set(this.finish());
    this.#bytes = grown;
  }
}

const attribute = (name: string, value: OnnxAttribute): Message => {
  const message = new Message().string(1, name);
  if (typeof value === 'number') return message.varint(3, value).varint(20, 2);
  if (typeof value === 'string') return message.string(4, value).varint(20, 3);
  if ('float' in value) return message.float(2, value.float).varint(20, 1);
  for (const number of value) message.varint(8, number);
  return message.varint(20, 7);
};

const node = ({ type, domain, name, inputs, outputs, attributes }: OnnxNode): Message => {
  const message = new Message();
  for (const input of inputs) message.string(1, input);
  for (const output of outputs) message.string(2, output);
  message.string(3, name).string(4, type);
  for (const [key, value] of Object.entries(attributes)) message.message(5, attribute(key, value));
  return message.string(7, domain);
};

const entry = (key: string, value: string): Message => new Message().string(1, key).string(2, value);

const initializer = ({ name, type, shape, bytes }: OnnxInitializer): Message => {
  const message = new Message();
  for (const dimension of shape) message.varint(1, dimension);
  message.varint(2, type).string(8, name);
  if (bytes instanceof Uint8Array) return message.bytes(9, bytes);
  return message
    .message(13, entry('location', bytes.location))
    .message(13, entry('offset', String(bytes.offset)))
    .message(13, entry('length', String(bytes.length)))
    .varint(14, 1);
};

const port = ({ name, type, shape }: OnnxPort): Message => {
  const dimensions = new Message();
  for (const dimension of shape) {
    const message = new Message();
    dimensions.message(1, typeof dimension === 'number' ? message.varint(1, dimension) : message.string(2, dimension));
  }
  return new Message().string(1, name).message(2, new Message().message(1, new Message().varint(1, type).message(2, dimensions)));
};

/** Bytes of a `model.onnx`. */
export const encodeModel = (model: OnnxModel): Uint8Array => {
  const graph = new Message();
  for (const item of model.nodes) graph.message(1, node(item));
  graph.string(2, 'tunefleet');
  for (const item of model.initializers) graph.message(5, initializer(item));
  for (const item of model.inputs) graph.message(11, port(item));
  for (const item of model.outputs) graph.message(12, port(item));
  for (const item of model.between) graph.message(13, port(item));
  return new Message()
    .varint(1, IR_VERSION)
    .string(2, 'tunefleet')
    .message(7, graph)
    .message(8, new Message().string(1, '').varint(2, OPSET))
    .message(8, new Message().string(1, 'com.microsoft').varint(2, 1))
    .finish();
};
