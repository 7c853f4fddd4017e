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
  evaluate(node: SyntaxNode | undefined, environment: unknown): Value;
}
/** A node of a parsed template, with the fields of the kinds that are treated apart. */
export interface SyntaxNode {
  readonly type: string;
  readonly operator?: { readonly value: string };
  readonly left?: SyntaxNode;
  readonly right?: SyntaxNode;
  readonly callee?: SyntaxNode;
  readonly args?: readonly SyntaxNode[];
  readonly object?: SyntaxNode;
  readonly property?: SyntaxNode;
  readonly computed?: boolean;
  readonly value?: unknown;
}
/** What a node evaluates to: a text is of type `StringValue`. */
export interface Value {
  readonly type: string;
  readonly value?: unknown;
}

export const { tokenize, parse, Environment, Interpreter } = library as unknown as JinjaLibrary;
