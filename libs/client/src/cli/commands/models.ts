import type { ModelObject } from '@tunefleet/contracts';
import type { Command } from 'commander';
import { connect, type Define } from '../context.js';
import { fields, table, time } from '../text.js';
import { importCommand } from './import-model.js';

function modelText({ id, created, owned_by, tunefleet }: ModelObject): string {
  const { aliases, ...more } = tunefleet;
  const shown = Object.entries(more).map(([key, value]) => [key, typeof value === 'object' ? JSON.stringify(value) : value]);
  return fields({ id, created: time(created), owned_by, aliases: aliases.join(', ') || null, ...Object.fromEntries(shown) });
}

export function modelCommands(program: Command, define: Define): void {
  const models = program.command('models').description('bases and tuned models');

  define(models.command('list', { isDefault: true }).description('what can be tuned and asked'), async () => {
    const object = await connect().list<ModelObject>('/models');
    const rows = object.data.map((m) => [m.id, m.tunefleet.kind, m.tunefleet.aliases.join(', ') || null, time(m.created)]);
    return { object, text: table(['ID', 'KIND', 'ALIASES', 'CREATED'], rows) };
  });

  define(models.command('get <model>').description('one model, with its lineage'), async (model: string) => {
    const object = (await connect().openai.models.retrieve(model)) as ModelObject;
    return { object, text: modelText(object) };
  });

  define(models.command('delete <model>').description('delete a tuned model, or a base that was imported'), async (model: string) => {
    const fleet = connect();
    const { tunefleet } = (await fleet.openai.models.retrieve(model)) as ModelObject;
    const object = await (tunefleet.kind === 'base' ? fleet.baseModels.delete(model) : fleet.openai.models.delete(model));
    return { object, text: `deleted ${model}` };
  });

  importCommand(models, define);

  define(models.command('bases').description('base models, also while they are imported'), async () => {
    const object = await connect().baseModels.list();
    const rows = object.data.map((base) => [base.id, base.status, base.source.type, time(base.created_at), base.error?.message ?? null]);
    return { object, text: table(['ID', 'STATUS', 'SOURCE', 'CREATED', 'ERROR'], rows) };
  });
}
