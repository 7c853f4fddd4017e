export { type Adaptable, adaptableClassifier, adaptableLanguageModel } from './adapters/adaptable.js';
export { adapterFault, languageAdapterFault, loraFault } from './adapters/fits-base.js';
export { adaptedLinears, addLora, addLoras, initialLoraPair, type LoraFactors } from './adapters/lora.js';
export { savedConfig, savedFrom, savedTensors, savedWeights } from './adapters/saved-modules.js';
export {
  type BasePrecision,
  type BaseWeights,
  type BaseWeightsOptions,
  mapWeights,
  openBaseWeights,
  unreadTensors,
  unreadWeights,
} from './base-weights.js';
export { openTextClassifier, type TextClassifier } from './classification/text-classifier.js';
export { llamaLinears } from './families/linears.js';
export { type LlamaParts, llama, llamaHead } from './families/llama.js';
export { type GenerateRequest, type Generation, type Generator, openGenerator } from './generation/generator.js';
export type { TokenLogprobs } from './generation/sampling.js';
export { type Classifier, classifierOf, type FeatureExample, headNetwork, wholeNetwork } from './networks/classifier.js';
export { causalLlama } from './networks/llama.js';
export { type Batch, type Logits, type Network, type NetworkParts, wholeLogits } from './networks/network.js';
export { weightParts } from './networks/weight-parts.js';
export type { Example } from './packing/pack.js';
export { dropoutMask } from './random/dropout-mask.js';
export { PURPOSE, type Purpose, type RandomStream, randomStream } from './random/stream.js';
