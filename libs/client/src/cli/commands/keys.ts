import type { Command } from 'commander';
import { connect, type Define } from '../context.js';
import { fields, table, time } from '../text.js';
import { wholeNumber } from '../values.js';

export function keyCommands(program: Command, define: Define): void {
  const keys = program.command('keys').description('API keys; needs an admin key');

  define(
    keys
      .command('create')
      .description('make a key; it is shown this once')
      .requiredOption('--project <project>', 'the project whose objects it reaches')
      .requiredOption('--scope <scope>', 'admin, write or read')
      .option('--expires-at <seconds>', 'Unix seconds; without it the key lives until it is revoked', wholeNumber),
    async ({ project, scope, expiresAt }: { project: string; scope: string; expiresAt?: number }) => {
      const object = await connect().keys.create({ project, scope, ...(expiresAt === undefined ? {} : { expires_at: expiresAt }) });
      return { object, text: fields({ id: object.id, key: object.key, project: object.project, scope: object.scope }) };
    },
  );

  define(
    keys
      .command('list', { isDefault: true })
      .description('the keys of a project, without their secrets')
      .option('--project <project>', 'another than that of the key in use')
      .option('--limit <n>', 'at most this many', wholeNumber, 100)
      .option('--after <id>', 'those behind this one'),
    async (query: { project?: string; limit: number; after?: string }) => {
      const object = await connect().keys.list(query);
      const rows = object.data.map((k) => [k.id, k.project, k.scope, time(k.created_at), time(k.expires_at)]);
      return { object, text: table(['ID', 'PROJECT', 'SCOPE', 'CREATED', 'EXPIRES'], rows) };
    },
  );

  define(keys.command('revoke <id>').description('end a key at once'), async (id: string) => {
    const object = await connect().keys.revoke(id);
    return { object, text: `revoked ${id}` };
  });
}
