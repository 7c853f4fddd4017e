import './without-telemetry.js';

// The one place that loads ONNX Runtime: after the module above.
export { env, InferenceSession, listSupportedBackends, Tensor } from 'onnxruntime-node';
