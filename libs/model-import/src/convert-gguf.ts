import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { float32Tensor, ggufLlama, llamaConfigJson, openGguf, streamSafetensors } from '@tunefleet/model-formats';
import { ggufTokenizerFiles, TextTokenizer } from '@tunefleet/tokenization';

/**
 * Writes the model in a GGUF file as a Hugging Face folder, so that everything else knows one layout: float32 safetensors, config.json, tokenizer.json,
 * tokenizer_config.json and, where the file has one, chat_template.jinja. One tensor is in memory at a time; the same file gives the same bytes.
 * Errors: `ModelFormatError` and `TokenizationError`, each by its codes; a file of the folder that is there already.
 * @param onTensor called as the tensors are written, with how many are done and how many there are
 */
export async function convertGguf(file: string, folder: string, onTensor?: (done: number, of: number) => void): Promise<void> {
  const gguf = await openGguf(file);
  try {
    const { config, shapes, float32 } = ggufLlama(gguf);
    // Before the weights: a tokenizer that cannot be told is known at once.
    const files = ggufTokenizerFiles(gguf.metadata);
    await TextTokenizer.from(files);
    await mkdir(folder, { recursive: true });
    const write = (name: string, text: string) => writeFile(join(folder, name), text, { flag: 'wx' });
    await write('config.json', json(llamaConfigJson(config)));
    await write('tokenizer.json', files.tokenizer);
    await write('tokenizer_config.json', json({ ...files.config, model_max_length: config.maxPositions }));
    if (files.chatTemplate !== undefined) await write('chat_template.jinja', files.chatTemplate);
    const tensors = [...shapes].map(([name, shape]) => ({ name, dtype: 'F32' as const, shape }));
    let done = 0;
    const load = async ({ name, shape }: (typeof tensors)[number]) => {
      const tensor = float32Tensor(name, shape, await float32(name));
      onTensor?.(++done, tensors.length);
      return tensor;
    };
    await streamSafetensors(join(folder, 'model.safetensors'), tensors, load, { format: 'pt' });
  } finally {
    await gguf.close();
  }
}

const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;
