/** ONNX Runtime's execution providers that a graph can be compiled for. */
export type Provider = 'cpu' | 'webgpu' | 'cuda';
