export { adaptedLinears, addLora, initialLoraPair, type LoraFactors, unknownTargets } from './adapters/lora.js';
export { type BaseWeights, openBaseWeights } from './base-weights.js';
export { type LinearModule, llamaLinears } from './families/linears.js';
export { type LlamaParts, llama, llamaHead } from './families/llama.js';
export { type GenerateRequest, type Generation, type Generator, openGenerator } from './generation/generator.js';
export type { TokenLogprobs } from './generation/sampling.js';
export { type PackedInputs, packedFeeds, packedInputs } from './packing/feeds.js';
export { type Example, type PackedExamples, packExamples } from './packing/pack.js';
export { PURPOSE, type Purpose, type RandomStream, randomStream } from './random/stream.js';
