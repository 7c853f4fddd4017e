/** Two private-use characters that no text of a template has; where the messages do, the tags are not used. */
export const SPAN_START = '\ue0f0';
export const SPAN_END = '\ue0f1';

const TAG = /\{%(-?)\s*(end)?generation\s*(-?)%\}/g;

/**
 * transformers' `{% generation %}` tags made to print marks; null for a template without them. Each tag becomes blocks on both sides of its mark, so
 * that white space around it is treated as before.
 */
export function withGenerationMarks(source: string): string | null {
  if (source.search(TAG) === -1) return null;
  return source.replace(TAG, (_, left: string, end: string | undefined, right: string) =>
    end ? `{%${left} if true %}{{ '${SPAN_END}' }}{% endif ${right}%}` : `{%${left} if true %}{{ '${SPAN_START}' }}{% endif ${right}%}`,
  );
}

/** Takes the marks out of a rendered text and tells what was between them. */
export function spansOfMarks(marked: string): { text: string; spans: { start: number; end: number }[] } {
  const spans: { start: number; end: number }[] = [];
  let text = '';
  let start = 0;
  for (const part of marked.split(new RegExp(`([${SPAN_START}${SPAN_END}])`))) {
    if (part === SPAN_START) start = text.length;
    else if (part === SPAN_END) spans.push({ start, end: text.length });
    else text += part;
  }
  return { text, spans };
}
