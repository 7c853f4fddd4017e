import { Interpreter, type SyntaxNode, type Value } from './jinja-library.js';

type StripSide = 'strip' | 'lstrip' | 'rstrip';

/** An operand that was evaluated already, put back into the tree. */
interface Evaluated extends SyntaxNode {
  readonly type: 'Evaluated';
  readonly value: Value;
}

/**
 * The library's interpreter where it differs from Python's Jinja in what chat templates do: `strip`, `lstrip` and `rstrip` take the characters to
 * strip, and a text plus something that is no text is an error instead of `[object Map]` or `null` in a prompt.
 */
export class PythonicInterpreter extends Interpreter {
  override evaluate(node: SyntaxNode | undefined, environment: unknown): Value {
    if (node?.type === 'Evaluated') return (node as Evaluated).value;
    if (node?.type === 'BinaryExpression' && node.operator?.value === '+') return this.sum(node, environment);
    const side = stripOf(node);
    return side ? this.strip(side, node!, environment) : super.evaluate(node, environment);
  }

  private sum(node: SyntaxNode, environment: unknown): Value {
    const left = this.evaluate(node.left, environment);
    const right = this.evaluate(node.right, environment);
    if (isText(left) !== isText(right)) throw new TypeError(`a text cannot be joined with ${isText(left) ? right.type : left.type}`);
    return super.evaluate({ ...node, left: evaluated(left), right: evaluated(right) }, environment);
  }

  private strip(side: StripSide, node: SyntaxNode, environment: unknown): Value {
    const text = this.evaluate(node.callee!.object, environment);
    if (!isText(text)) throw new TypeError(`${text.type} has no method ${side}`);
    const characters = this.evaluate(node.args![0], environment);
    if (!isText(characters)) throw new TypeError(`${side} takes a text, not ${characters.type}`);
    const StringValue = text.constructor as new (value: string) => Value;
    return new StringValue(stripped(text.value, new Set(characters.value), side));
  }
}

/** `x.strip('...')` and its kin with an argument. */
function stripOf(node: SyntaxNode | undefined): StripSide | null {
  if (node?.type !== 'CallExpression' || node.args?.length !== 1) return null;
  const { callee } = node;
  if (callee?.type !== 'MemberExpression' || callee.computed || callee.property?.type !== 'Identifier') return null;
  const name = callee.property.value;
  return name === 'strip' || name === 'lstrip' || name === 'rstrip' ? name : null;
}

function stripped(text: string, characters: ReadonlySet<string>, side: StripSide): string {
  const all = [...text];
  let start = 0;
  let end = all.length;
  if (side !== 'rstrip') while (start < end && characters.has(all[start]!)) start += 1;
  if (side !== 'lstrip') while (end > start && characters.has(all[end - 1]!)) end -= 1;
  return all.slice(start, end).join('');
}

function isText(value: Value): value is Value & { value: string } {
  return value.type === 'StringValue';
}

function evaluated(value: Value): Evaluated {
  return { type: 'Evaluated', value };
}
