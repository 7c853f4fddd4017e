import type {
  AliasObject,
  BaseModelObject,
  CreateBaseModelBody,
  FileValidation,
  FineTuningJob,
  GateRule,
  PutGateBody,
} from '@tunefleet/contracts';
import OpenAI from 'openai';

export type TuningJob = FineTuningJob;
export interface ApiKey {
  id: string;
  object: 'api_key';
  project: string;
  scope: 'read' | 'write' | 'admin';
  created_at: number;
  expires_at: number | null;
}
export type AliasList = Page<AliasObject>;

/** OpenAI's list, as it is sent. */
export interface Page<T> {
  object: 'list';
  data: T[];
  has_more?: boolean;
}

/** Query of a list; what is undefined is not sent. */
export type PageQuery = Record<string, string | number | undefined>;

export interface Gate {
  object: 'model_alias.gate';
  alias: string;
  rules: GateRule[];
  updated_at: number;
}

export interface TunefleetOptions {
  /** The fleet's origin, e.g. `http://127.0.0.1:8080`. */
  url: string;
  apiKey: string;
  /** Times that a request is sent again after a lost connection, 408, 409, 429 or 5xx (2). */
  maxRetries?: number;
}

const segment = encodeURIComponent;
const sent = (query: PageQuery): Record<string, string | number> =>
  Object.fromEntries(Object.entries(query).filter((entry): entry is [string, string | number] => entry[1] !== undefined));

/**
 * What Tunefleet has beyond OpenAI's API, over the client that speaks the rest: `openai` is an unmodified `OpenAI`, and every request here goes through it,
 * so retries, time-outs and error classes (`OpenAI.APIError`) are the same.
 */
export class Tunefleet {
  readonly openai: OpenAI;

  constructor({ url, apiKey, maxRetries }: TunefleetOptions) {
    this.openai = new OpenAI({
      baseURL: `${url.replace(/\/+$/, '')}/v1`,
      apiKey,
      // Variables of OpenAI's own that may stand in a shell must not name a project that this fleet does not know.
      organization: null,
      project: null,
      ...(maxRetries === undefined ? {} : { maxRetries }),
    });
  }

  /** Any list as it is sent, without the paging that `openai` puts around it. */
  list<T>(path: string, query: PageQuery = {}): Promise<Page<T>> {
    return this.openai.get<Page<T>>(path, { query: sent(query) });
  }

  readonly files = {
    /** How many rows fail by each code, and the first of them with line and column. */
    validation: (id: string): Promise<FileValidation> => this.openai.get<FileValidation>(`/files/${segment(id)}/validation`),
  };

  readonly models = {
    /** The model as a tar stream: `peft` or `merged`. Errors: 404 `model_not_found`; 400 with param `format`. */
    export: async (model: string, format: string): Promise<ReadableStream<Uint8Array>> => {
      const path = `/models/${segment(model)}/export`;
      const response = await this.openai.get<Response>(path, { query: { format }, __binaryResponse: true });
      if (!response.body) throw new Error('the answer has no body');
      return response.body;
    },
  };

  readonly aliases = {
    list: (query: PageQuery = {}): Promise<AliasList> => this.list<AliasObject>('/model_aliases', query),
    get: (name: string): Promise<AliasObject> => this.openai.get<AliasObject>(`/model_aliases/${segment(name)}`),
    /** Move an alias. Onto a tuned model its gate has to pass: 400 `gate_missing`, `gate_not_passed`. */
    set: (name: string, model: string): Promise<AliasObject> =>
      this.openai.put<AliasObject>(`/model_aliases/${segment(name)}`, { body: { model } }),
    delete: (name: string): Promise<{ id: string; deleted: boolean }> => this.openai.delete(`/model_aliases/${segment(name)}`),
    /** Needs an admin key. Replaces the gate there was. */
    setGate: (name: string, gate: PutGateBody): Promise<Gate> =>
      this.openai.put<Gate>(`/model_aliases/${segment(name)}/gate`, { body: gate }),
  };

  readonly baseModels = {
    list: (): Promise<Page<BaseModelObject>> => this.list<BaseModelObject>('/base_models'),
    get: (name: string): Promise<BaseModelObject> => this.openai.get<BaseModelObject>(`/base_models/${segment(name)}`),
    /** Starts an import; ask `get` until it is `ready` or `failed`. */
    create: (body: CreateBaseModelBody): Promise<BaseModelObject> => this.openai.post<BaseModelObject>('/base_models', { body }),
    delete: (name: string): Promise<{ id: string; deleted: boolean }> => this.openai.delete(`/base_models/${segment(name)}`),
  };

  readonly keys = {
    /** `key` in the answer is told this once. */
    create: (body: { project: string; scope: string; expires_at?: number }): Promise<ApiKey & { key: string }> =>
      this.openai.post<ApiKey & { key: string }>('/api_keys', { body }),
    list: (query: PageQuery = {}): Promise<Page<ApiKey>> => this.list<ApiKey>('/api_keys', query),
    revoke: (id: string): Promise<{ id: string; object: 'api_key'; deleted: true }> => this.openai.delete(`/api_keys/${segment(id)}`),
  };
}
