import { Type } from 'typebox';
import { Nullable } from '../messages/common.js';
import { ModelHead } from '../messages/registry.js';

const ModelName = Type.String({ minLength: 1, maxLength: 512 });

export const ModelTunefleet = Type.Union([
  Type.Object({
    kind: Type.Literal('base'),
    aliases: Type.Array(Type.String()),
    weights_sha256: Type.String(),
    parameters: Type.Integer(),
    context: Type.Integer(),
    head: ModelHead,
    /** The base that it is an adapter over, where it was imported as one. */
    adapter_of: Type.Optional(Type.String()),
  }),
  Type.Object({
    kind: Type.Union([Type.Literal('version'), Type.Literal('checkpoint')]),
    base: Type.String(),
    job: Type.String(),
    aliases: Type.Array(Type.String()),
    weights_sha256: Type.String(),
    manifest_sha256: Type.String(),
    head: ModelHead,
    lineage: Type.Record(Type.String(), Type.Unknown()),
  }),
]);

export const ModelObject = Type.Object({
  id: Type.String(),
  object: Type.Literal('model'),
  created: Type.Integer(),
  owned_by: Type.String(),
  tunefleet: ModelTunefleet,
});
export type ModelObject = Type.Static<typeof ModelObject>;

export const ModelList = Type.Object({ object: Type.Literal('list'), data: Type.Array(ModelObject) });
export const DeletedModel = Type.Object({ id: Type.String(), object: Type.Literal('model'), deleted: Type.Boolean() });

export const PutAliasBody = Type.Object({ model: ModelName }, { additionalProperties: false });
export type PutAliasBody = Type.Static<typeof PutAliasBody>;

/** A rule holds when the newest completed run of `eval` on these weights has a pass rate of at least `min`, and beats the base's by `min_gain_over_base`. */
export const GateRule = Type.Object(
  {
    eval: Type.String({ minLength: 1, maxLength: 128 }),
    metric: Type.Literal('pass_rate'),
    min: Type.Number({ minimum: 0, maximum: 1 }),
    min_gain_over_base: Type.Optional(Type.Number({ minimum: -1, maximum: 1 })),
  },
  { additionalProperties: false },
);
export type GateRule = Type.Static<typeof GateRule>;

export const PutGateBody = Type.Object({ rules: Type.Array(GateRule, { minItems: 1, maxItems: 16 }) }, { additionalProperties: false });
export type PutGateBody = Type.Static<typeof PutGateBody>;

export const GateObject = Type.Object({
  object: Type.Literal('model_alias.gate'),
  alias: Type.String(),
  rules: Type.Array(GateRule),
  updated_at: Type.Integer(),
});

export const AliasObject = Type.Object({
  id: Type.String(),
  object: Type.Literal('model_alias'),
  created_at: Type.Integer(),
  updated_at: Type.Integer(),
  model: Nullable(Type.String()),
  gate: Nullable(Type.Object({ rules: Type.Array(GateRule) })),
});
export type AliasObject = Type.Static<typeof AliasObject>;

export const AliasList = Type.Object({
  object: Type.Literal('list'),
  data: Type.Array(AliasObject),
  has_more: Type.Boolean(),
  first_id: Nullable(Type.String()),
  last_id: Nullable(Type.String()),
});
export const DeletedAlias = Type.Object({ id: Type.String(), object: Type.Literal('model_alias'), deleted: Type.Boolean() });

/** What one half of a rule came to, in `error.tunefleet.rules` of a refusal. `actual` is null where no run counts. */
export interface RuleOutcome {
  eval: string;
  rule: 'min' | 'min_gain_over_base';
  required: number;
  actual: number | null;
  passed: boolean;
}
