import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from './environment.js';

export interface ComposeService {
  image: string;
  command?: string[];
  read_only?: boolean;
  user?: string;
  secrets?: string[];
  environment?: Record<string, string>;
  ports?: string[];
}

export interface ComposeFile {
  services: Record<string, ComposeService>;
  secrets: Record<string, { file: string }>;
}

/** `${NAME:-default}` becomes the default, as it does where the user sets nothing. */
const withDefaults = (text: string): string => text.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1');

export const readCompose = (): ComposeFile =>
  parse(withDefaults(readFileSync(join(ROOT, 'deploy/compose/compose.yaml'), 'utf8')), { merge: true }) as ComposeFile;

/** What the image itself sets: the ENV line of docker/Dockerfile. */
export const imageEnvironment = (): Record<string, string> => {
  const line = readFileSync(join(ROOT, 'docker/Dockerfile'), 'utf8').match(/^ENV (.*)$/m)?.[1] ?? '';
  return Object.fromEntries(line.split(' ').map((pair) => pair.split('=') as [string, string]));
};
