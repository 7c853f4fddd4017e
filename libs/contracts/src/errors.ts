/** Every error that leaves Tunefleet. `docs/errors.md` is checked against this table by a test. */
export const ERRORS = {
  invalid_json: { status: 400, type: 'invalid_request_error' },
  invalid_value: { status: 400, type: 'invalid_request_error' },
  invalid_type: { status: 400, type: 'invalid_request_error' },
  missing_required_parameter: { status: 400, type: 'invalid_request_error' },
  unknown_parameter: { status: 400, type: 'invalid_request_error' },
  not_supported: { status: 400, type: 'invalid_request_error' },
  invalid_purpose: { status: 400, type: 'invalid_request_error' },
  invalid_state: { status: 400, type: 'invalid_request_error' },
  invalid_multipart: { status: 400, type: 'invalid_request_error' },
  context_length_exceeded: { status: 400, type: 'invalid_request_error' },
  insufficient_memory: { status: 400, type: 'invalid_request_error' },
  gate_missing: { status: 400, type: 'invalid_request_error' },
  gate_not_passed: { status: 400, type: 'invalid_request_error' },
  model_in_use: { status: 400, type: 'invalid_request_error' },
  invalid_api_key: { status: 401, type: 'authentication_error' },
  insufficient_scope: { status: 403, type: 'permission_error' },
  project_mismatch: { status: 403, type: 'permission_error' },
  not_found: { status: 404, type: 'invalid_request_error' },
  unknown_url: { status: 404, type: 'invalid_request_error' },
  file_not_found: { status: 404, type: 'invalid_request_error' },
  job_not_found: { status: 404, type: 'invalid_request_error' },
  model_not_found: { status: 404, type: 'invalid_request_error' },
  eval_not_found: { status: 404, type: 'invalid_request_error' },
  run_not_found: { status: 404, type: 'invalid_request_error' },
  alias_not_found: { status: 404, type: 'invalid_request_error' },
  key_not_found: { status: 404, type: 'invalid_request_error' },
  method_not_allowed: { status: 405, type: 'invalid_request_error' },
  body_too_large: { status: 413, type: 'invalid_request_error' },
  file_too_large: { status: 413, type: 'invalid_request_error' },
  unsupported_media_type: { status: 415, type: 'invalid_request_error' },
  idempotency_conflict: { status: 422, type: 'invalid_request_error' },
  rate_limit_exceeded: { status: 429, type: 'rate_limit_error' },
  queue_full: { status: 429, type: 'rate_limit_error' },
  internal_error: { status: 500, type: 'server_error' },
  service_unavailable: { status: 503, type: 'server_error' },
  /* Faults of a file's rows: they stand in `status_details` and in a failed job's `error`, never as an HTTP status. */
  invalid_row: { status: 400, type: 'invalid_request_error' },
  invalid_encoding: { status: 400, type: 'invalid_request_error' },
  too_deep: { status: 400, type: 'invalid_request_error' },
  row_too_large: { status: 400, type: 'invalid_request_error' },
  invalid_role: { status: 400, type: 'invalid_request_error' },
  missing_assistant: { status: 400, type: 'invalid_request_error' },
  invalid_content: { status: 400, type: 'invalid_request_error' },
  missing_messages: { status: 400, type: 'invalid_request_error' },
  too_many_messages: { status: 400, type: 'invalid_request_error' },
  unknown_field: { status: 400, type: 'invalid_request_error' },
  invalid_label: { status: 400, type: 'invalid_request_error' },
  too_many_labels: { status: 400, type: 'invalid_request_error' },
  too_few_labels: { status: 400, type: 'invalid_request_error' },
  unknown_label: { status: 400, type: 'invalid_request_error' },
  mixed_formats: { status: 400, type: 'invalid_request_error' },
  empty_file: { status: 400, type: 'invalid_request_error' },
  invalid_n_examples: { status: 400, type: 'invalid_request_error' },
  special_token: { status: 400, type: 'invalid_request_error' },
  too_many_tokens: { status: 400, type: 'invalid_request_error' },
  /* Failures of durable work. */
  training_failed: { status: 500, type: 'server_error' },
  invalid_model: { status: 400, type: 'invalid_request_error' },
  import_failed: { status: 400, type: 'invalid_request_error' },
  too_many_attempts: { status: 500, type: 'server_error' },
} as const;

export type ErrorCode = keyof typeof ERRORS;

export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: ErrorCode; tunefleet?: unknown };
}

/** An error with one of the codes above. `detail` becomes `error.tunefleet`. Messages say what was expected and what to do. */
export class ApiError extends Error {
  readonly code: ErrorCode;
  readonly param: string | null;
  readonly detail: unknown;
  readonly retryAfterSeconds: number | null;

  constructor(
    code: ErrorCode,
    message: string,
    options: { param?: string | null; detail?: unknown; retryAfterSeconds?: number; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'ApiError';
    this.code = code;
    this.param = options.param ?? null;
    this.detail = options.detail;
    this.retryAfterSeconds = options.retryAfterSeconds ?? (code === 'service_unavailable' ? 1 : null);
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  /** OpenAI's error object. */
  toBody(): ErrorBody {
    const { message, code, param, detail } = this;
    return { error: { message, type: ERRORS[code].type, param, code, ...(detail === undefined ? {} : { tunefleet: detail }) } };
  }
}

export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERRORS, code);
