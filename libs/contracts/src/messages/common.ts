import { Type } from 'typebox';

export const Id = Type.String({ minLength: 1, maxLength: 512 });
export const Project = Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,62}$' });
export const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** An immutable object, and a URL (15 minutes at most) by which whoever gets this message may read it. */
export const ObjectLink = Type.Object({ path: Type.String(), bytes: Type.Integer(), sha256: Type.String(), url: Type.String() });
export type ObjectLink = Type.Static<typeof ObjectLink>;

export const Fault = Type.Object({
  code: Type.String(),
  message: Type.String(),
  line: Nullable(Type.Integer()),
  column: Nullable(Type.Integer()),
});
export type Fault = Type.Static<typeof Fault>;
