import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openMergedFolder, writeSafetensors } from '@tunefleet/model-formats';

/** Writes a base under an adapter as one Hugging Face folder, `into`. `through`: as `openMergedFolder`'s. */
export async function writeMergedFolder(
  base: string,
  adapter: string,
  into: string,
  through?: Parameters<typeof openMergedFolder>[2],
): Promise<void> {
  const { config, tensors, close } = await openMergedFolder(base, adapter, through);
  const whole = await Promise.all(
    tensors.map(async (tensor) => {
      const blocks: Uint8Array[] = [];
      for await (const block of tensor.blocks()) blocks.push(block.slice());
      return { ...tensor, data: Buffer.concat(blocks) };
    }),
  );
  await close();
  await mkdir(into);
  await writeSafetensors(join(into, 'model.safetensors'), whole, { format: 'pt' });
  await writeFile(join(into, 'config.json'), JSON.stringify(config, null, 2));
}
