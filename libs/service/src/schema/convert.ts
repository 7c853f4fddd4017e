/** JSON Schema as TypeBox writes it, read as plain data. */
export type Schema = Record<string, unknown>;

const typesOf = (schema: Schema): Set<unknown> => {
  const branches = (schema['anyOf'] ?? schema['oneOf']) as Schema[] | undefined;
  if (branches) return new Set(branches.flatMap((branch) => [...typesOf(branch)]));
  const type = schema['type'];
  return new Set(Array.isArray(type) ? type : [type]);
};

/** Text of a variable or a query string as the number or boolean that the schema asks for; unchanged where it is none. */
export function convertText(schema: object, text: string): string | number | boolean {
  const types = typesOf(schema as Schema);
  if ((types.has('integer') || types.has('number')) && /^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(text)) return Number(text);
  if (types.has('boolean') && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

/** A query string's texts converted, its defaults filled in; unknown keys are left for the check. */
export function convertQuery(schema: object, query: Record<string, unknown>): Record<string, unknown> {
  const properties = ((schema as Schema)['properties'] ?? {}) as Record<string, Schema>;
  const converted: Record<string, unknown> = { ...query };
  for (const [name, part] of Object.entries(properties)) {
    const value = query[name];
    if (value === undefined && part['default'] !== undefined) converted[name] = part['default'];
    else if (typeof value === 'string') converted[name] = convertText(part, value);
  }
  return converted;
}
