import { at, checkAt, type Definitions, type Fault, listOfValues, typeOf } from './check.js';
import type { Schema } from './convert.js';

const choicesOf = (schema: Schema): unknown[] | null => {
  if (Object.hasOwn(schema, 'const')) return [schema['const']];
  if (Array.isArray(schema['enum'])) return schema['enum'] as unknown[];
  return schema['type'] === 'null' ? [null] : null;
};

/** Unions within a union are one union. */
const flatten = (branches: Schema[], definitions: Definitions): Schema[] =>
  branches.flatMap((branch) => {
    const target = typeof branch['$ref'] === 'string' ? (definitions[branch['$ref'].replace(/^#\/\$defs\//, '')] ?? branch) : branch;
    const inner = (target['anyOf'] ?? target['oneOf']) as Schema[] | undefined;
    return inner ? flatten(inner, definitions) : [target];
  });

/** Object branches told apart by a property that is a constant in each (`type`): that property and the values it may take. */
function discriminator(branches: Schema[]): { key: string; values: unknown[] } | null {
  const [first] = branches;
  for (const key of Object.keys((first?.['properties'] ?? {}) as Schema)) {
    const values = branches.map((branch) => choicesOf(((branch['properties'] ?? {}) as Record<string, Schema>)[key] ?? {}));
    if (values.every((value) => value !== null)) return { key, values: values.flat() };
  }
  return null;
}

function checkObjects(branches: Schema[], value: Record<string, unknown>, path: string, definitions: Definitions): Fault {
  const tag = branches.length > 1 ? discriminator(branches) : null;
  if (tag && !Object.hasOwn(value, tag.key)) return { code: 'missing_required_parameter', path: at(path, tag.key), expected: 'a value' };
  if (tag && !tag.values.includes(value[tag.key])) {
    const code = typeof value[tag.key] === typeof tag.values[0] ? 'invalid_value' : 'invalid_type';
    return { code, path: at(path, tag.key), expected: listOfValues(tag.values), got: value[tag.key] };
  }
  const meant = tag
    ? branches.filter((branch) => choicesOf((branch['properties'] as Record<string, Schema>)[tag.key]!)!.includes(value[tag.key]))
    : branches;
  // Without a discriminator the branch was meant that knows most of the value's keys.
  const known = (branch: Schema) => Object.keys(value).filter((key) => Object.hasOwn((branch['properties'] ?? {}) as Schema, key)).length;
  const most = Math.max(...meant.map(known));
  const [likely] = meant.filter((branch) => known(branch) === most);
  return checkAt(likely!, value, path, definitions)!;
}

/** A union's fault is told for the branch that the value was meant for, so that `param` leads to the very field. */
export function checkUnion(unions: Schema[], value: unknown, path: string, definitions: Definitions): Fault | null {
  const branches = flatten(unions, definitions);
  const faults: Fault[] = [];
  for (const branch of branches) {
    const fault = checkAt(branch, value, path, definitions);
    if (!fault) return null;
    faults.push(fault);
  }
  const objects = branches.filter((branch) => branch['type'] === 'object');
  if (typeOf(value) === 'object' && objects.length > 0) return checkObjects(objects, value as Record<string, unknown>, path, definitions);
  const close = faults.filter((fault) => fault.path !== path || fault.code !== 'invalid_type');
  if (close.length === 1 && (close[0]!.path !== path || choicesOf(branches[faults.indexOf(close[0]!)]!) === null)) return close[0]!;
  const choices = branches.map(choicesOf);
  const literals = choices.filter((choice) => choice !== null).flat();
  const others = faults.filter((_, index) => choices[index] === null).map((fault) => fault.expected);
  const expected = [...(literals.length > 0 ? [listOfValues(literals)] : []), ...new Set(others)].join(', or ');
  return { code: close.length > 0 ? 'invalid_value' : 'invalid_type', path, expected, got: value };
}
