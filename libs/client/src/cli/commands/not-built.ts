import type { Command } from 'commander';
import type { Define } from '../context.js';
import { CommandFailure } from '../failure.js';

/** A command of the interface that has no routes behind it yet: it says so, whatever it is given. */
export function notBuilt(parent: Command, define: Define, name: string, what: string, next: string | null = null): void {
  const command = parent.command(`${name} [args...]`).description(`${what} (not built yet)`).allowUnknownOption();
  const full = parent.parent ? `${parent.name()} ${name}` : name;
  define(command, async () => {
    throw new CommandFailure('not_supported', `'tunefleet ${full}' (${what}) is not built yet: this fleet has no route for it`, { next });
  });
}

export function notBuiltCommands(program: Command, define: Define): void {
  notBuilt(program, define, 'preview', 'rows as the model will see them');
}
