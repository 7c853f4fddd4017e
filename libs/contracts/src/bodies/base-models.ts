import { Type } from 'typebox';
import { LIMITS } from '../limits.js';
import { nullable, strict } from './strict.js';

/** A part of a model's name in `ft:...` and of object keys. */
const BaseName = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' });

/** Files that were uploaded with purpose `user_data`, each with its name in the model's folder. */
const FilesSource = strict({
  type: Type.Literal('files'),
  files: Type.Array(
    strict({ file_id: Type.String({ minLength: 1, maxLength: 128 }), path: Type.String({ minLength: 1, maxLength: 200 }) }),
    {
      minItems: 1,
      maxItems: LIMITS.importFiles,
    },
  ),
});

/** A repository of the Hugging Face hub at a branch, tag or commit. */
const HubSource = strict({
  type: Type.Literal('hf'),
  repo: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$' }),
  revision: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$' })),
});

/** A prefix in the fleet's own bucket, below the project's name. */
const BucketSource = strict({ type: Type.Literal('s3'), uri: Type.String({ pattern: '^s3://', maxLength: 1024 }) });

export const BaseModelSource = Type.Union([FilesSource, HubSource, BucketSource]);
export type BaseModelSource = Type.Static<typeof BaseModelSource>;

/** `POST /v1/base_models`. */
export const CreateBaseModelBody = strict({
  name: BaseName,
  source: BaseModelSource,
  /** For a PEFT adapter: the base that it is put over. */
  base: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
});
export type CreateBaseModelBody = Type.Static<typeof CreateBaseModelBody>;

export const BASE_MODEL_STATUSES = ['queued', 'running', 'ready', 'failed'] as const;
export type BaseModelStatus = (typeof BASE_MODEL_STATUSES)[number];

/** A base model, also while it is being imported. `source` of one that came with the fleet is `bundled`; `revision` of one from the hub is the commit. */
export const BaseModelObject = Type.Object({
  id: Type.String(),
  object: Type.Literal('base_model'),
  created_at: Type.Integer(),
  status: Type.Enum([...BASE_MODEL_STATUSES]),
  source: Type.Union([BaseModelSource, Type.Object({ type: Type.Literal('bundled') })]),
  error: nullable(Type.Object({ code: Type.String(), message: Type.String(), param: nullable(Type.String()) })),
});
export type BaseModelObject = Type.Static<typeof BaseModelObject>;

export const BaseModelList = Type.Object({ object: Type.Literal('list'), data: Type.Array(BaseModelObject), has_more: Type.Boolean() });
export const DeletedBaseModel = Type.Object({ id: Type.String(), object: Type.Literal('base_model'), deleted: Type.Boolean() });
