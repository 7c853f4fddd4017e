import { Type } from 'typebox';
import { Id, Nullable, ObjectLink, Project } from './common.js';

const Names = Type.Array(Type.String());

export const AdapterInfo = Type.Union([
  Type.Object({ type: Type.Literal('full') }),
  Type.Object({
    type: Type.Literal('lora'),
    rank: Type.Integer(),
    alpha: Type.Number(),
    dropout: Type.Number(),
    targets: Type.Union([Type.String(), Names]),
    // PEFT's; manifests of before they were known have none
    rank_pattern: Type.Optional(Type.Record(Type.String(), Type.Number())),
    alpha_pattern: Type.Optional(Type.Record(Type.String(), Type.Number())),
    use_rslora: Type.Optional(Type.Boolean()),
    layers_to_transform: Type.Optional(Nullable(Type.Array(Type.Integer()))),
    layers_pattern: Type.Optional(Nullable(Names)),
    exclude_modules: Type.Optional(Nullable(Type.Union([Type.String(), Names]))),
    modules_to_save: Type.Optional(Nullable(Names)),
  }),
]);

export type AdapterInfo = Type.Static<typeof AdapterInfo>;

/** Of the base that an adapter was trained over, and answers over: `int4` is its linear layers in 4-bit blocks. */
export const BasePrecision = Type.Union([Type.Literal('float32'), Type.Literal('int4')]);
export type BasePrecision = Type.Static<typeof BasePrecision>;

/** What stands on a model's backbone, and so what it can be asked: text, or the class of a text. A `none` (a bare encoder) can only be tuned to classify. */
export const ModelHead = Type.Union([Type.Literal('language_model'), Type.Literal('classifier'), Type.Literal('none')]);
export type ModelHead = Type.Static<typeof ModelHead>;

/** What a name (base, alias, version, checkpoint) stands for just now. */
export const ResolvedModel = Type.Object({
  /** Canonical id: a base's name, or `ft:...`. */
  id: Id,
  kind: Type.Union([Type.Literal('base'), Type.Literal('version'), Type.Literal('checkpoint')]),
  /** The root base model's name (itself for a base). */
  base: Id,
  project: Nullable(Project),
  weights_sha256: Type.String(),
  /** The root base's `weights_sha256`; of a base that is an adapter, that of the model beneath. */
  base_weights_sha256: Type.String(),
  parameters: Type.Integer(),
  context: Type.Integer(),
  head: ModelHead,
  /** Learning rates for which `learning_rate_multiplier` is 1. */
  rates: Type.Object({ full: Type.Number(), lora: Type.Number() }),
  default_adapter: Type.Union([Type.Literal('full'), Type.Literal('lora')]),
  /** Hugging Face folder to load: the base's for an adapter, the tuned model's own for full tuning. Tokenizer files are always among them. */
  files: Type.Array(ObjectLink),
  /** PEFT folder beside it (a base may be one, too), or null. */
  adapter: Nullable(Type.Array(ObjectLink)),
  /** That `files` are loaded in, to answer as in training. */
  base_precision: BasePrecision,
});
export type ResolvedModel = Type.Static<typeof ResolvedModel>;

/** The immutable manifest that a finished attempt (or a checkpoint) publishes, written last. Paths are object keys below the attempt. */
export const ArtifactManifest = Type.Object({
  schema: Type.Literal(1),
  kind: Type.Union([Type.Literal('version'), Type.Literal('checkpoint')]),
  job: Id,
  attempt: Type.Integer(),
  step: Type.Integer(),
  adapter: AdapterInfo,
  /** Left out: float32. */
  base_precision: Type.Optional(BasePrecision),
  weights_sha256: Type.String(),
  files: Type.Array(Type.Object({ path: Type.String(), key: Type.String(), bytes: Type.Integer(), sha256: Type.String() })),
  /** Hashes of files, base and settings; seed; engine build, CPU kernel class, threads; code revision; exact. */
  lineage: Type.Record(Type.String(), Type.Unknown()),
});
export type ArtifactManifest = Type.Static<typeof ArtifactManifest>;

export const registryRpc = {
  'model-registry.resolve_model': { request: Type.Object({ project: Project, model: Id }), reply: ResolvedModel },
  /** Idempotent by `id`: the same manifest again answers the same; another manifest under a taken id is an error. */
  'model-registry.put_version': {
    request: Type.Object({
      project: Project,
      id: Id,
      base: Id,
      parent: Id,
      created_at: Type.Integer(),
      manifest: ArtifactManifest,
      manifest_sha256: Type.String(),
    }),
    reply: Type.Object({ id: Id, weights_sha256: Type.String() }),
  },
} as const;
