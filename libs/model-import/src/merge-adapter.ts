import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type MergedTensor, openMergedFolder, streamSafetensors } from '@tunefleet/model-formats';

const TOKENIZER = /^(tokenizer\.json|tokenizer_config\.json|special_tokens_map\.json|chat_template\.jinja)$/;

/**
 * Writes a base with a PEFT adapter merged into it as a Hugging Face folder in float32: W + (alpha / rank) B A. The tokenizer is the adapter's own where its
 * folder has one (it may have added tokens), else the base's. Errors: `ModelFormatError` by its codes; a file of the folder that is there already.
 */
export async function mergeAdapter(base: string, adapter: string, folder: string, onTensor?: () => void): Promise<void> {
  const model = await openMergedFolder(base, adapter);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'config.json'), `${JSON.stringify(model.config, null, 2)}\n`, { flag: 'wx' });
    const home = (await readdir(adapter)).includes('tokenizer.json') ? adapter : base;
    for (const name of (await readdir(home)).filter((file) => TOKENIZER.test(file))) await copyFile(join(home, name), join(folder, name));
    const load = async (tensor: MergedTensor) => {
      const blocks: Uint8Array[] = [];
      for await (const block of tensor.blocks()) blocks.push(block);
      onTensor?.();
      return { ...tensor, data: Buffer.concat(blocks) };
    };
    await streamSafetensors(join(folder, 'model.safetensors'), model.tensors, load, { format: 'pt' });
  } finally {
    await model.close();
  }
}
