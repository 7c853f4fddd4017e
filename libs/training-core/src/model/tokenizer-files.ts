import { copyFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** What a tuned model takes over from its base unchanged. */
const TOKENIZER_FILES =
  /^(tokenizer.*|special_tokens_map\.json|added_tokens\.json|vocab\.(json|txt)|merges\.txt|chat_template\.(jinja|json)|generation_config\.json)$/;

export async function copyTokenizerFiles(from: string, to: string): Promise<void> {
  for (const name of await readdir(from)) {
    if (TOKENIZER_FILES.test(name)) await copyFile(join(from, name), join(to, name));
  }
}
