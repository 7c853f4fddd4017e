import { Type } from 'typebox';

/** An object that refuses keys it does not know (400 `unknown_parameter`). */
export const strict = <P extends Type.TProperties>(properties: P) => Type.Object(properties, { additionalProperties: false });

export { Nullable as nullable } from '../messages/common.js';
