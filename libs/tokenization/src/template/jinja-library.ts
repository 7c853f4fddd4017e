import * as library from '@huggingface/jinja';

/**
 * The parts of @huggingface/jinja that are used, with their types: its own declarations leave out file extensions, which node's module resolution
 * does not follow.
 */
interface JinjaLibrary {
  tokenize(source: string, options: { lstrip_blocks: boolean; trim_blocks: boolean }): unknown[];
  parse(tokens: unknown[]): Program;
  Environment: new () => Environment;
  Interpreter: new (environment: Environment) => Interpreter;
}
export type Program = { readonly type: 'Program' };
export interface Environment {
  set(name: string, value: unknown): void;
}
export interface Interpreter {
  run(program: Program): { value: string };
  /** Called for every node, by the interpreter itself. */
  evaluate(node: unknown, environment: unknown): { value?: unknown };
}

export const { tokenize, parse, Environment, Interpreter } = library as unknown as JinjaLibrary;
