import { ApiError, type ChatMessage } from '@tunefleet/contracts';
import { type TemplateMessage, type TextTokenizer, TokenizationError } from '@tunefleet/tokenization';

const textOf = (content: ChatMessage['content']): string | null =>
  content === undefined || content === null ? null : typeof content === 'string' ? content : content.map((part) => part.text).join('');

function toTemplate({ role, content, name, tool_calls, tool_call_id }: ChatMessage): TemplateMessage {
  return {
    role,
    content: textOf(content),
    ...(name === undefined ? {} : { name }),
    ...(tool_calls === undefined ? {} : { tool_calls }),
    ...(tool_call_id === undefined ? {} : { tool_call_id }),
  };
}

/** A special token in what somebody wrote would be read as the template's own; it is refused, as in training files. */
export function refuseSpecialTokens(tokenizer: TextTokenizer, text: string | null, param: string): void {
  const found = text === null ? null : tokenizer.findSpecialToken(text);
  if (found)
    throw new ApiError('special_token', `'${param}' holds the special token ${found.token} at character ${found.offset}; take it out.`, {
      param,
    });
}

/** Ids of a conversation up to where the assistant begins to speak. */
export async function chatPrompt(tokenizer: TextTokenizer, messages: readonly ChatMessage[], tools: readonly unknown[]): Promise<number[]> {
  const shown = messages.map(toTemplate);
  for (const [index, { content }] of shown.entries()) refuseSpecialTokens(tokenizer, content ?? null, `messages.${index}.content`);
  try {
    const text = tokenizer.chatTemplate.render(shown, { addGenerationPrompt: true, ...(tools.length > 0 ? { tools } : {}) });
    return (await tokenizer.encode(text)).ids;
  } catch (error) {
    if (!(error instanceof TokenizationError)) throw error;
    throw new ApiError('invalid_value', `The model's chat template refuses these messages: ${error.message}`, {
      param: 'messages',
      cause: error,
    });
  }
}

/** Ids of a text to be continued, with the tokenizer's own beginning of text. */
export async function textPrompt(tokenizer: TextTokenizer, prompt: string): Promise<number[]> {
  refuseSpecialTokens(tokenizer, prompt, 'prompt');
  const { ids } = await tokenizer.encode(prompt, { addSpecialTokens: true });
  // the post-processor may also close the text, which is not there yet
  const eos = tokenizer.specialTokens.eos?.id;
  const open = ids.at(-1) === eos && ids.length > 1 ? ids.slice(0, -1) : ids;
  const first = tokenizer.specialTokens.bos ?? tokenizer.specialTokens.eos;
  if (open.length === 0 && first) return [first.id];
  if (open.length === 0)
    throw new ApiError('invalid_value', "'prompt' is empty, and this model has no token that begins a text.", { param: 'prompt' });
  return open;
}
