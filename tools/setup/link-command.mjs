import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './cache.mjs';

const TARGET = 'libs/client/dist/cli/main.js';

/**
 * Makes `npx tunefleet` work. pnpm links no command whose file does not exist yet, and this one exists only after the build.
 */
export const linkCommand = () => {
  if (!existsSync(join(root, TARGET))) return;
  const bin = join(root, 'node_modules', '.bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'tunefleet'), `#!/bin/sh\nexec node "$(dirname "$0")/../../${TARGET}" "$@"\n`, { mode: 0o755 });
  if (process.platform === 'win32') {
    writeFileSync(join(bin, 'tunefleet.cmd'), `@node "%~dp0\\..\\..\\${TARGET.replaceAll('/', '\\')}" %*\r\n`);
  }
};
