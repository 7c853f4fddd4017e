import { describe, expect, test } from '@jest/globals';
import { Type } from 'typebox';
import { checkSchema } from '../src/schema/check.js';
import { closeSchema, supportedSchema } from '../src/schema/close.js';

const orAuto = Type.Union([Type.Literal('auto'), Type.Integer({ minimum: 1, maximum: 50 })]);
const Adapter = Type.Union([
  Type.Object({ type: Type.Literal('full') }),
  Type.Object({ type: Type.Literal('lora'), rank: Type.Optional(Type.Integer({ minimum: 1 })) }),
]);
const Freeze = Type.Union([Type.Object({ layers: Type.Array(Type.Integer()) }), Type.Object({ backbone: Type.Boolean() })]);
const check = (schema: object, value: unknown) => {
  const fault = checkSchema(closeSchema(schema), value);
  return fault && `${fault.code} ${fault.path}`;
};

describe('a union tells its fault for the branch that was meant', () => {
  test.each([
    [orAuto, 'auto', null],
    [orAuto, 3, null],
    [orAuto, 51, 'invalid_value '],
    [orAuto, 1.5, 'invalid_type '],
    [orAuto, 'most', 'invalid_value '],
    [orAuto, true, 'invalid_type '],
    [Type.Union([Type.String({ maxLength: 3 }), Type.Null()]), 'long', 'invalid_value '],
    [Type.Union([Type.String(), Type.Null()]), 1, 'invalid_type '],
    [Type.Union([Type.Literal('linear'), Type.Literal('cosine')]), 'other', 'invalid_value '],
    [Type.Union([Type.Literal('linear'), Type.Literal('cosine')]), 1, 'invalid_type '],
    [Adapter, { type: 'lora', rank: 0 }, 'invalid_value rank'],
    [Adapter, { type: 'full', rank: 8 }, 'unknown_parameter rank'],
    [Adapter, { type: 'dora' }, 'invalid_value type'],
    [Adapter, { type: 1 }, 'invalid_type type'],
    [Adapter, { rank: 8 }, 'missing_required_parameter type'],
    [Adapter, 'lora', 'invalid_type '],
    [Freeze, { layers: [0, 'x'] }, 'invalid_type layers[1]'],
    [Freeze, { backbone: 1 }, 'invalid_type backbone'],
    [Freeze, { layers: [0], surplus: 1 }, 'unknown_parameter surplus'],
    [Type.Union([Type.String(), Type.Array(Type.String())]), ['a', 1], 'invalid_type [1]'],
    [Type.Union([Adapter, Type.Null()]), { type: 'lora', extra: 1 }, 'unknown_parameter extra'],
    [Type.Array(Type.Object({ a: Type.Object({ b: Type.Integer() }) })), [{ a: { b: 1 } }, { a: { b: '1' } }], 'invalid_type [1].a.b'],
  ])('%# %j', (schema, value, expected) => expect(check(schema, value)).toBe(expected));

  test('the text names every choice', () => {
    expect(checkSchema(orAuto, true)?.expected).toBe('"auto", or an integer');
    expect(checkSchema(Adapter, { type: 'dora' })?.expected).toBe('one of "full", "lora"');
  });
});

describe('values', () => {
  test.each([
    [Type.Integer(), 2 ** 53, 'invalid_value '],
    [Type.Number(), Number.POSITIVE_INFINITY, 'invalid_type '],
    [Type.Number({ exclusiveMinimum: 0 }), 0, 'invalid_value '],
    [Type.String({ minLength: 1, maxLength: 2 }), '😀😀', null],
    [Type.String({ maxLength: 2 }), '😀😀😀', 'invalid_value '],
    [Type.String({ pattern: '^a' }), 'b', 'invalid_value '],
    [Type.Array(Type.Integer(), { maxItems: 1 }), [1, 2], 'invalid_value '],
    [Type.Record(Type.String(), Type.String(), { maxProperties: 1 }), { a: 'x', b: 'y' }, 'invalid_value '],
    [Type.Object({ a: Type.Optional(Type.Integer()) }), { toString: 1 }, 'unknown_parameter toString'],
    [Type.Object({ hasOwnProperty: Type.Integer() }), {}, 'missing_required_parameter hasOwnProperty'],
    [Type.Unknown(), { anything: [1] }, null],
    [Type.Enum(['a', 'b']), 'c', 'invalid_value '],
    [
      Type.Unsafe({ type: 'object', propertyNames: { maxLength: 2 }, additionalProperties: { type: 'string' } }),
      { abc: 'x' },
      'invalid_value abc',
    ],
  ])('%# %j', (schema, value, expected) => expect(check(schema, value)).toBe(expected));
});

test('a keyword that would not be checked is refused when the route is registered', () => {
  expect(() => supportedSchema({ type: 'string', format: 'date' })).toThrow('format');
  expect(() => closeSchema(Type.Intersect([Type.Object({ a: Type.Integer() }), Type.Object({ b: Type.Integer() })]))).toThrow(
    'intersection',
  );
});

test('closing leaves the original open and keeps what is open on purpose', () => {
  const schema = Type.Object({ inner: Type.Object({}), free: Type.Object({ a: Type.Integer() }, { additionalProperties: true }) });
  const closed = closeSchema(schema) as { properties: { free: object; inner: object } };
  expect(closed).toMatchObject({ additionalProperties: false, properties: { inner: { additionalProperties: false } } });
  expect(closed.properties.free).toMatchObject({ additionalProperties: true });
  expect(Object.hasOwn(schema, 'additionalProperties')).toBe(false);
});
