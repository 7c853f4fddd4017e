import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../../../tools/jest/tools.js';

export const document = (...path: string[]): string => readFileSync(join(repository, ...path), 'utf8');

/** Cells of every table row of a text, without the rules under the heads. */
export const tableRows = (text: string): string[][] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('|') && !line.startsWith('|--'))
    .map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    );

/** What stands in backticks. */
export const codes = (text = ''): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? '');

/** The code block of a language, e.g. of the README. */
export const codeBlock = (text: string, language: string): string =>
  new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'm').exec(text)?.[1] ?? '';

/** `METHOD /path` -> the fields that the API's pages document for it: the backticked names that begin a row below its heading. */
export function documentedRoutes(): Map<string, string[]> {
  const routes = new Map<string, string[]>();
  for (const page of readdirSync(join(repository, 'docs', 'api'))) {
    for (const section of document('docs', 'api', page).split(/^#{1,3} /m)) {
      const [heading, ...rest] = section.split('\n');
      const fields = tableRows(rest.join('\n')).flatMap(([first]) => codes(first));
      for (const route of codes(heading)) if (/^[A-Z]+ \//.test(route)) routes.set(route, fields);
    }
  }
  return routes;
}

interface Schema {
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
}

/** Every property of a schema as a path; `[]` for an item of an array. */
export function propertyPaths(schema: Schema, prefix = ''): string[] {
  const unions = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])].flatMap((part) => propertyPaths(part, prefix));
  const own = Object.entries(schema.properties ?? {}).flatMap(([key, value]) => {
    const path = prefix === '' ? key : `${prefix}.${key}`;
    return [path, ...propertyPaths(value, path)];
  });
  return [...new Set([...own, ...unions, ...(schema.items ? propertyPaths(schema.items, `${prefix}[]`) : [])])];
}

/** Fields that no documented name covers; `a.*` covers all below `a`. */
export const undocumented = (fields: string[], documented: string[]): string[] =>
  fields.filter((field) => !documented.some((name) => name === field || (name.endsWith('.*') && field.startsWith(name.slice(0, -1)))));
