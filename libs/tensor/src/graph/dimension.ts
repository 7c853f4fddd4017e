// A dimension is a number known when the graph is built, or a polynomial over names ("tokens", "past+tokens", "2*tokens")
// whose values a run's feeds decide. Polynomials are kept in one canonical spelling, so that equal sizes are equal strings.
export type Dimension = number | string;
export type Shape = readonly Dimension[];

/** Values of the dimension names of one run. */
export type Bindings = ReadonlyMap<string, number>;

type Polynomial = ReadonlyMap<string, number>;

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Of each spelling met so far: a graph has thousands of values, and few sizes. */
const parsed = new Map<string, Polynomial>();

const parse = (dimension: Dimension): Polynomial => {
  if (typeof dimension === 'number') {
    if (!Number.isSafeInteger(dimension)) throw new RangeError(`dimension ${dimension} is not an integer`);
    return new Map(dimension === 0 ? [] : [['', dimension]]);
  }
  const known = parsed.get(dimension);
  if (known) return known;
  const polynomial = parseText(dimension);
  parsed.set(dimension, polynomial);
  return polynomial;
};

const parseText = (dimension: string): Polynomial => {
  if (dimension.trim() === '') throw new SyntaxError('a dimension is empty');
  const sum = new Map<string, number>();
  for (const term of dimension.replaceAll(' ', '').replaceAll('-', '+-').split('+')) {
    if (term === '') continue;
    let coefficient = term.startsWith('-') ? -1 : 1;
    const names: string[] = [];
    for (const factor of term.replace(/^-/, '').split('*')) {
      if (/^\d+$/.test(factor)) coefficient *= Number(factor);
      else if (NAME.test(factor)) names.push(factor);
      else throw new SyntaxError(`dimension "${dimension}" is not a sum of products of names and integers`);
    }
    const key = names.sort().join('*');
    sum.set(key, (sum.get(key) ?? 0) + coefficient);
  }
  return sum;
};

const format = (sum: Polynomial): Dimension => {
  const terms = [...sum].filter(([, coefficient]) => coefficient !== 0);
  if (terms.length === 0) return 0;
  if (terms.length === 1 && terms[0]![0] === '') return terms[0]![1];
  // Names in alphabetical order, the constant last.
  terms.sort(([a], [b]) => (a === '' ? 1 : b === '' ? -1 : a < b ? -1 : 1));
  const text = terms
    .map(([key, coefficient]) => {
      const size = Math.abs(coefficient);
      const body = key === '' ? String(size) : size === 1 ? key : `${size}*${key}`;
      return `${coefficient < 0 ? '-' : '+'}${body}`;
    })
    .join('');
  return text.startsWith('+') ? text.slice(1) : text;
};

/** Spellings met so far, likewise. */
const spelled = new Map<Dimension, Dimension>();

export const canonical = (dimension: Dimension): Dimension => {
  const known = spelled.get(dimension);
  if (known !== undefined) return known;
  const made = format(parse(dimension));
  spelled.set(dimension, made);
  return made;
};

export const addDimensions = (a: Dimension, b: Dimension): Dimension => {
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  const sum = new Map(parse(a));
  for (const [key, coefficient] of parse(b)) sum.set(key, (sum.get(key) ?? 0) + coefficient);
  return format(sum);
};

const negateDimension = (a: Dimension): Dimension => format(new Map([...parse(a)].map(([key, c]) => [key, -c])));

export const subtractDimensions = (a: Dimension, b: Dimension): Dimension => addDimensions(a, negateDimension(b));

const joinNames = (a: string, b: string): string =>
  [...a.split('*'), ...b.split('*')]
    .filter((name) => name !== '')
    .sort()
    .join('*');

/** Of each pair met so far, likewise. */
const products = new Map<string, Dimension>();

export const multiplyDimensions = (a: Dimension, b: Dimension): Dimension => {
  if (typeof a === 'number' && typeof b === 'number') return a * b;
  if (a === 1) return canonical(b);
  const key = `${a} x ${b}`;
  const known = products.get(key);
  if (known !== undefined) return known;
  const made = multiplied(a, b);
  products.set(key, made);
  return made;
};

const multiplied = (a: Dimension, b: Dimension): Dimension => {
  const product = new Map<string, number>();
  for (const [left, c] of parse(a)) {
    for (const [right, d] of parse(b)) {
      const key = joinNames(left, right);
      product.set(key, (product.get(key) ?? 0) + c * d);
    }
  }
  return format(product);
};

/** Exact quotient, or null where `b` is not a single product that divides every term of `a`. */
export const divideDimensions = (a: Dimension, b: Dimension): Dimension | null => {
  if (canonical(a) === canonical(b) && canonical(b) !== 0) return 1;
  const divisor = [...parse(b)];
  if (divisor.length !== 1) return null;
  const [key, coefficient] = divisor[0]!;
  const quotient = new Map<string, number>();
  for (const [term, c] of parse(a)) {
    const rest = term === '' ? [] : term.split('*');
    for (const name of key === '' ? [] : key.split('*')) {
      const at = rest.indexOf(name);
      if (at < 0) return null;
      rest.splice(at, 1);
    }
    if (c % coefficient !== 0) return null;
    quotient.set(rest.join('*'), c / coefficient);
  }
  return format(quotient);
};

export const elementCount = (shape: Shape): Dimension => shape.reduce<Dimension>(multiplyDimensions, 1);

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((dimension, axis) => dimension === b[axis]);

export const isStatic = (shape: Shape): shape is readonly number[] => shape.every((dimension) => typeof dimension === 'number');

/** The terms of a dimension: coefficient and names, the constant with no names. For lowering to arithmetic at run time. */
export const terms = (dimension: Dimension): { coefficient: number; names: string[] }[] =>
  [...parse(dimension)].map(([key, coefficient]) => ({ coefficient, names: key === '' ? [] : key.split('*') }));

export const resolveDimension = (dimension: Dimension, bindings: Bindings): number => {
  if (typeof dimension === 'number') return dimension;
  let sum = 0;
  for (const { coefficient, names } of terms(dimension)) {
    let product = coefficient;
    for (const name of names) {
      const value = bindings.get(name);
      if (value === undefined) throw new Error(`dimension "${name}" has no value: no fed input has it alone as an axis`);
      product *= value;
    }
    sum += product;
  }
  return sum;
};

export const resolveShape = (shape: Shape, bindings: Bindings): number[] => shape.map((dimension) => resolveDimension(dimension, bindings));

export const printShape = (shape: Shape): string => `[${shape.join(', ')}]`;
