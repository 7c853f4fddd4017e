import type { Span } from './template/assistant-spans.js';
import type { Encoded } from './tokenizer/text-tokenizer.js';

/**
 * Of each token the index of the span that it belongs to, or -1. A token that reaches into a span from before belongs to it, because the span's first
 * characters have no other token; but not a special one, which only swallows the white space after it. `spans` are in order and do not overlap.
 */
export function spanOfTokens({ ids, offsets }: Encoded, spans: readonly Span[], isSpecial: (id: number) => boolean): Int32Array {
  const result = new Int32Array(offsets.length).fill(-1);
  let at = 0;
  for (const [index, [start, end]] of offsets.entries()) {
    while (at < spans.length && start >= spans[at]!.end) at += 1;
    const span = spans[at];
    if (!span) break;
    const reaches = Math.max(end, start + 1) > span.start;
    if (start >= span.start || (reaches && !isSpecial(ids[index]!))) result[index] = at;
  }
  return result;
}
