/** What of a Hugging Face folder belongs to the model; recipes, curves and attributions beside it do not. */
const MODEL_FILES = new Set([
  'config.json',
  'generation_config.json',
  'model.safetensors',
  'model.safetensors.index.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
]);

export const isModelFile = (name: string): boolean => MODEL_FILES.has(name) || /^model-\d+-of-\d+\.safetensors$/.test(name);

/** What a PEFT folder has beside tokenizer files; `labels.json` names the classes of a classifier's. */
export const isAdapterFile = (name: string): boolean =>
  name === 'adapter_config.json' || name === 'adapter_model.safetensors' || name === 'labels.json';

/** One file that is a whole model. */
export const isGgufFile = (name: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._-]{0,195}\.gguf$/i.test(name);
