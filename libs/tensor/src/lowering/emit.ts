import { inputsOf } from '../graph/feeds.js';
import type { Graph } from '../graph/value.js';
import { Emitter, ONNX_TYPE } from './emitter.js';
import type { OnnxModel } from './onnx-proto.js';
import { simplify } from './simplify.js';

/** A graph in ONNX's terms; `frozen` weights still need a place in a file. */
export interface EmittedModel extends OnnxModel {
  readonly frozen: Emitter['frozen'];
}

export const emit = (graph: Graph): EmittedModel => {
  const emitter = new Emitter();
  const inputs = inputsOf(graph);
  for (const { name, shape } of inputs) emitter.declareInput(name, shape);
  const names = new Map<unknown, string>();
  for (const value of graph.values) {
    emitter.enter(value);
    names.set(
      value,
      value.op.emit(
        emitter,
        value.inputs.map((input) => names.get(input)!),
        value,
      ),
    );
  }
  for (const [name, value] of Object.entries(graph.outputs)) {
    // The output's own name: a copy, where `simplify` finds none of its own for it.
    emitter.nodes.push({
      type: 'Identity',
      domain: '',
      name: `output/${name}`,
      inputs: [names.get(value)!],
      outputs: [name],
      attributes: {},
    });
  }
  const outputs = Object.entries(graph.outputs).map(([name, { dtype, shape }]) => ({ name, type: ONNX_TYPE[dtype], shape }));
  return {
    nodes: simplify({ nodes: emitter.nodes, outputs, shapes: emitter.shapes }),
    initializers: emitter.initializers,
    frozen: emitter.frozen,
    inputs: inputs.map(({ name, dtype, shape }) => ({ name, type: ONNX_TYPE[dtype], shape })),
    outputs,
  };
};
