/** `metadata[k]=v` as the OpenAI SDK writes nested values: one level, `{metadata: {k: v}}`. Objects have no prototype; repeats become arrays. */
export function parseQuery(text: string): Record<string, unknown> {
  const query: Record<string, unknown> = Object.create(null);
  for (const [name, value] of new URLSearchParams(text)) {
    const nested = /^([^[\]]+)\[([^[\]]*)\]$/.exec(name);
    let target = query;
    let key = name;
    if (nested) {
      const [, outer, inner] = nested as unknown as [string, string, string];
      if (typeof query[outer] !== 'object' || Array.isArray(query[outer])) query[outer] = Object.create(null);
      target = query[outer] as Record<string, unknown>;
      key = inner;
    }
    const before = target[key];
    target[key] = before === undefined ? value : [before, value].flat();
  }
  return query;
}
