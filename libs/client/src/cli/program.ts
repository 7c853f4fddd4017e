import { Command, CommanderError } from 'commander';
import { aliasCommands } from './commands/aliases.js';
import { estimateCommand } from './commands/estimate.js';
import { evalCommands } from './commands/evals.js';
import { exportCommand } from './commands/export.js';
import { fileCommands } from './commands/files.js';
import { jobCommands } from './commands/jobs.js';
import { keyCommands } from './commands/keys.js';
import { modelCommands } from './commands/models.js';
import { notBuiltCommands } from './commands/not-built.js';
import { type Define, fleetUrl, type Result } from './context.js';
import { asFailure, CommandFailure, EXIT } from './failure.js';

const AFTER = `
Environment:
  TUNEFLEET_URL      the fleet (http://127.0.0.1:8080)
  TUNEFLEET_API_KEY  a key of a project of it

Exit codes: 0 done, 1 refused or failed, 2 used wrongly, 130 Ctrl-C while watching.`;

/** Runs one command line; writes its result; returns the exit code. */
export async function run(args: string[]): Promise<number> {
  let result: Result | undefined;
  const define: Define = (command, body) => {
    command.action(async (...given: unknown[]) => {
      // commander adds the command itself as the last argument
      result = await (body as (...args: unknown[]) => Promise<Result>)(...given.slice(0, -1));
    });
  };
  const program = new Command('tunefleet')
    .description('Fine-tune, measure and promote models on a Tunefleet')
    .option('--json', 'the last line of stdout is the resulting object')
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', AFTER);
  for (const add of [
    fileCommands,
    jobCommands,
    modelCommands,
    aliasCommands,
    evalCommands,
    keyCommands,
    exportCommand,
    estimateCommand,
    notBuiltCommands,
  ])
    add(program, define);
  quiet(program);
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    return fail(error, args.includes('--json'));
  }
  if (!result) return EXIT.done;
  process.stdout.write(`${program.opts()['json'] ? JSON.stringify(result.object) : result.text}\n`);
  return result.exit ?? EXIT.done;
}

/** commander throws instead of exiting, so that the exit code is ours. */
function quiet(command: Command): void {
  command.exitOverride().configureOutput({ writeErr: () => undefined });
  for (const sub of command.commands) quiet(sub);
}

function fail(error: unknown, json: boolean): number {
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done; // --help
  const failure =
    error instanceof CommanderError
      ? new CommandFailure('usage', error.message.replace(/^error: /, ''), {
          next: '`npx tunefleet --help` lists the commands',
          exit: EXIT.usage,
        })
      : asFailure(error, fleetUrl());
  process.stderr.write(failure.toText());
  if (json) process.stdout.write(`${JSON.stringify(failure.toJson())}\n`);
  return failure.exit;
}
