import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Packages of this repository; those of others stand in a package.json with their exact version. */
const OWN = '@tunefleet/';

interface Package {
  dependencies?: Record<string, string>;
}

/** The folder of the nearest package.json. */
const rootOf = (file: string): string => {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    if (readdirSync(folder).includes('package.json')) return folder;
    if (folder === dirname(folder)) throw new Error(`no package.json above ${file}: code cannot be told apart`);
  }
};

const known = new Map<string, string>();

/**
 * A hash of all code that the package of a module is made of: its files (the built ones, where the module is a built one), and those of the
 * packages of this repository that it depends on. Whatever is changed in them, though it changes no result, gives another hash.
 * @param url the module's `import.meta.url`
 */
export const codeIdentity = (url: string): string => {
  const first = fileURLToPath(url);
  const done = known.get(first);
  if (done !== undefined) return done;
  const hash = createHash('sha256').update(process.version);
  const seen = new Set<string>();
  const visit = (file: string): void => {
    const root = rootOf(file);
    if (seen.has(root)) return;
    seen.add(root);
    const manifest = readFileSync(join(root, 'package.json'), 'utf8');
    hash.update(manifest);
    const folder = relative(root, file).split(sep)[0]!;
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).sort()) {
      if (/(?<!\.d)\.[jt]s$/.test(name)) hash.update(`${name}\0`).update(readFileSync(join(root, folder, name)));
    }
    const require = createRequire(file);
    const own = Object.keys((JSON.parse(manifest) as Package).dependencies ?? {}).filter((name) => name.startsWith(OWN));
    for (const name of own.sort()) visit(require.resolve(name));
  };
  visit(first);
  const identity = hash.digest('hex');
  known.set(first, identity);
  return identity;
};
