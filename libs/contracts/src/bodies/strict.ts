import { Type } from 'typebox';

/** An object that refuses keys it does not know (400 `unknown_parameter`). */
export const strict = <P extends Type.TProperties>(properties: P) => Type.Object(properties, { additionalProperties: false });

export const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
