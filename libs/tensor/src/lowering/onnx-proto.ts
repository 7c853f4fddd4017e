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

/** Protocol buffers wire format: varints, fixed 32 bit, and length-delimited bytes. */
class Message {
  #parts: Uint8Array[] = [];
  #length = 0;

  varint(field: number, value: number | bigint): this {
    this.#tag(field, 0);
    this.#varint(BigInt(value));
    return this;
  }

  float(field: number, value: number): this {
    this.#tag(field, 5);
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    this.#push(bytes);
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#tag(field, 2);
    this.#varint(BigInt(value.length));
    this.#push(value);
    return this;
  }

  string(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  message(field: number, value: Message): this {
    return this.bytes(field, value.finish());
  }

  finish(): Uint8Array {
    const whole = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  #tag(field: number, wire: number): void {
    this.#varint(BigInt((field << 3) | wire));
  }

  #varint(value: bigint): void {
    let rest = BigInt.asUintN(64, value);
    const bytes: number[] = [];
    do {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      bytes.push(rest === 0n ? low : low | 0x80);
    } while (rest !== 0n);
    this.#push(Uint8Array.from(bytes));
  }

  #push(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.#length += bytes.length;
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
