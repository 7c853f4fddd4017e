import { ArtifactManifest, BaseModelSource, GateRule, ModelHead, Nullable } from '@tunefleet/contracts';
import { WorkState } from '@tunefleet/jobs';
import { Type } from 'typebox';

const Head = { id: Type.String(), project: Type.String(), created_at: Type.Integer(), schema: Type.Literal(1) };

const StoredFile = Type.Object({ path: Type.String(), key: Type.String(), bytes: Type.Integer(), sha256: Type.String() });
export type StoredFile = Type.Static<typeof StoredFile>;

/** A base model: a Hugging Face folder in the object store. Bundled ones belong to the reserved project `_bundled` and are seen by all. */
export const BaseRecord = Type.Object({
  ...Head,
  name: Type.String(),
  files: Type.Array(StoredFile),
  weights_sha256: Type.String(),
  parameters: Type.Integer(),
  context: Type.Integer(),
  /** Of a base that is a PEFT adapter over another one: its own files (`files` are then the other's), and what it was put over. */
  adapter: Type.Optional(Type.Object({ files: Type.Array(StoredFile), over: Type.String(), over_sha256: Type.String() })),
  /** Left out in records from before there were others: a language model. */
  head: Type.Optional(ModelHead),
  rates: Type.Object({ full: Type.Number(), lora: Type.Number() }),
  default_adapter: Type.Union([Type.Literal('full'), Type.Literal('lora')]),
});
export type BaseRecord = Type.Static<typeof BaseRecord>;

/** A tuned model (or one of its checkpoints) with the manifest it came from. */
export const VersionRecord = Type.Object({
  ...Head,
  kind: Type.Union([Type.Literal('version'), Type.Literal('checkpoint')]),
  base: Type.String(),
  parent: Type.String(),
  manifest: ArtifactManifest,
  manifest_sha256: Type.String(),
});
export type VersionRecord = Type.Static<typeof VersionRecord>;

/** A name of the project's own for a model, with the gate that guards it; `model` is null while only the gate exists. */
export const AliasRecord = Type.Object({
  ...Head,
  name: Type.String(),
  model: Nullable(Type.String()),
  updated_at: Type.Integer(),
  gate: Nullable(Type.Object({ rules: Type.Array(GateRule), updated_at: Type.Integer() })),
});
export type AliasRecord = Type.Static<typeof AliasRecord>;

/**
 * The import of a base, under an id that is derived from project and name: a name is taken once. The base's own record appears when it is ready.
 * `request` tells the request that made it from a later one for the same name, and its objects lie below `<project>/models/<request>/`.
 */
export const ImportRecord = Type.Object({
  ...Head,
  name: Type.String(),
  request: Type.String(),
  source: BaseModelSource,
  /** Name of the base that an adapter is put over; null for a whole model. */
  base: Nullable(Type.String()),
  /** The end of it was asked for and is not done yet. */
  deleting: Type.Boolean(),
  work: WorkState,
});
export type ImportRecord = Type.Static<typeof ImportRecord>;

/** What a finished attempt tells: the base but for its name and date. */
export const ImportResult = Type.Object({
  files: Type.Array(StoredFile),
  weights_sha256: Type.String(),
  parameters: Type.Integer(),
  context: Type.Integer(),
  head: ModelHead,
  adapter: BaseRecord.properties.adapter,
});
export type ImportResult = Type.Static<typeof ImportResult>;
