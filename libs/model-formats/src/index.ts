export { type ModelFormatCode, ModelFormatError } from './errors.js';
export { type GgufFile, openGguf } from './gguf/file.js';
export { type GgufLlama, ggufLlama, ggufName } from './gguf/llama.js';
export type { GgufMetadata, GgufValue } from './gguf/metadata.js';
export { type BertConfig, parseBertConfig } from './hugging-face/bert-config.js';
export { bertPoolerShapes, bertTensorShapes } from './hugging-face/bert-tensors.js';
export { type LlamaFolder, openLlamaFolder, writeLlamaFolder } from './hugging-face/folder.js';
export { readJsonObject } from './hugging-face/json-file.js';
export { blockLinears, type LinearModule } from './hugging-face/linears.js';
export { type LlamaConfig, llamaConfigJson, parseLlamaConfig } from './hugging-face/llama-config.js';
export { checkLlamaTensors, llamaTensorShapes } from './hugging-face/llama-tensors.js';
export {
  type Backbone,
  classifierConfigJson,
  headShapes,
  type ModelFolder,
  openModelFolder,
  parseBackbone,
  writeClassifierFolder,
} from './hugging-face/model-folder.js';
export { openWeights } from './hugging-face/weights.js';
export { CLASSIFIER_HEADS, type LoraConfig, type LoraTask, loraConfigJson, parseLoraConfig } from './peft/adapter-config.js';
export {
  type LoraAdapter,
  type LoraPair,
  loraTensorNames,
  loraTensors,
  readLoraFolder,
  type SavedTensor,
  savedTensorName,
  writeLoraFolder,
} from './peft/adapter-folder.js';
export { adapterLabels, readAdapterLabels, writeAdapterLabels } from './peft/adapter-labels.js';
export { type LoraSettings, wholeLoraSettings } from './peft/lora-settings.js';
export { type MergedModel, type MergedTensor, mergedModel } from './peft/merge.js';
export { type MergedFolder, openMergedFolder } from './peft/merged-folder.js';
export { type LoraMatcher, LoraSettingError, loraMatcher } from './peft/module-matching.js';
export { byteLength, type Dtype, elementCount } from './safetensors/dtype.js';
export { type FloatDtype, isFloatDtype, toFloat32 } from './safetensors/float.js';
export type { TensorInfo } from './safetensors/header.js';
export { openSafetensors, SafetensorsFile, type Tensor, type TensorReader } from './safetensors/reader.js';
export { bytesSource, fileSource, type RangeSource } from './safetensors/source.js';
export {
  float32Tensor,
  safetensorsLayout,
  serializeSafetensors,
  streamSafetensors,
  type TensorShape,
  writeSafetensors,
} from './safetensors/writer.js';
export { weightsSha256, weightsSha256Of } from './weights-hash.js';
