import { ERRORS, type ErrorCode } from './errors.js';

/** What each code means to who reads it, and what to do. `docs/errors.md` is made of it. */
export const ERROR_MEANINGS: Record<ErrorCode, string> = {
  invalid_json: 'The body (or the row) is not JSON in UTF-8.',
  invalid_value: '`param` has a value outside what the message says is allowed.',
  invalid_type: '`param` has another JSON type than expected. Nothing is converted: `"3"` is no number.',
  missing_required_parameter: '`param` is required.',
  unknown_parameter: 'Nobody knows `param`. Look for a typing error; nothing is ignored in silence.',
  not_supported: "`param`, or the route, is part of OpenAI's interface but not built here.",
  invalid_purpose: 'The `purpose` of a file is unknown, or the file has another purpose than its use asks for.',
  invalid_state: 'The object is not in a state that allows this, e.g. cancelling a finished job. The message names the state.',
  invalid_multipart: 'The multipart body is malformed, or has parts that are not expected.',
  context_length_exceeded: "Prompt and answer together do not fit the model's context.",
  insufficient_memory:
    'The job cannot fit into the memory of any training pod. Reduce batch, sequence length or rank, or use a smaller base.',
  gate_missing:
    'An alias may point to a tuned version only through a gate, and this alias has none. Define it at `/v1/model_aliases/{name}/gate`.',
  gate_not_passed: 'The gate refuses the version; `error.tunefleet.rules` has each rule with required and actual figures.',
  model_in_use: 'The model is used by what the message names; release it first.',
  invalid_api_key: 'There is no key in `Authorization: Bearer`, or it is unknown, revoked or expired.',
  insufficient_scope: "The key's scope (`read`, `write`, `admin`) does not allow this.",
  project_mismatch: '`OpenAI-Project` or `OpenAI-Organization` names another project than that of the key.',
  not_found: 'There is no such object in this project.',
  unknown_url: 'There is no such route.',
  file_not_found: 'There is no such file in this project.',
  job_not_found: 'There is no such fine-tuning job in this project.',
  model_not_found: 'There is no such base, version, checkpoint or alias in this project.',
  eval_not_found: 'There is no such eval in this project.',
  run_not_found: 'There is no such eval run in this project.',
  alias_not_found: 'There is no such model alias in this project.',
  key_not_found: 'There is no such API key that you may see.',
  method_not_allowed: 'The route exists for other methods; the header `allow` names them.',
  body_too_large: 'The body is over the limit of the route.',
  file_too_large: 'The file is over 512 MB.',
  unsupported_media_type: 'The route takes another content type, mostly `application/json`.',
  idempotency_conflict: 'The `Idempotency-Key` was used for another body. Use a new key for a new wish.',
  rate_limit_exceeded: 'Too many requests with this key. Wait for `retry-after` seconds.',
  queue_full: 'The project has too many unfinished jobs. Wait until some end, or cancel some.',
  internal_error: 'A fault of ours. `x-request-id` leads to it in the logs.',
  service_unavailable: 'A part of the fleet is away or late. Try again after `retry-after` seconds; the OpenAI clients do so themselves.',
  invalid_row: 'A row is no JSON object of the shape its format asks for.',
  invalid_encoding: 'The file is not UTF-8.',
  too_deep: 'A row is nested deeper than 64 levels.',
  row_too_large: 'A row is over 4 MiB.',
  invalid_role: 'A message has a role other than system, developer, user, assistant, tool.',
  missing_assistant: 'A conversation has no assistant message to learn from.',
  invalid_content: 'The content of a message is not text.',
  missing_messages: 'A row has no `messages`, or none in it.',
  too_many_messages: 'A row has more than 2,048 messages.',
  unknown_field: 'A row has a key that its format does not know.',
  invalid_label: 'The `label` of a classification row is not text, blank, or over 64 characters.',
  too_many_labels: 'A file has more than 256 different labels.',
  too_few_labels: 'The rows of a training file all have one label; a classifier learns to tell two or more apart.',
  unknown_label: 'The validation file has a label that the training file does not have.',
  mixed_formats: 'Rows of several formats stand in one file.',
  empty_file: 'The file has no rows.',
  invalid_n_examples: 'The file has fewer than ten examples.',
  special_token: "A message holds a special token of the base's tokenizer, e.g. its end-of-turn mark.",
  too_many_tokens: 'An example is longer than `tunefleet.sequence.max_tokens` and `on_overflow` is `error`.',
  training_failed: 'Training broke off for a reason that another attempt would meet again; the message says which.',
  invalid_model:
    'The files of an import are no model that can be read: the message names the file, the tensor, the setting or the metadata at fault, and which rule it breaks.',
  import_failed: 'The source of an import cannot be read: it is not there, refuses, is too large or not allowed. The message says which.',
  too_many_attempts: 'The work was started several times and lost its worker each time.',
};

const statusText = (code: ErrorCode): string => String(ERRORS[code].status);

/** The page `docs/errors.md`. */
export function errorsPage(): string {
  const codes = Object.keys(ERRORS) as ErrorCode[];
  const first = codes.indexOf('invalid_row');
  const failures = codes.indexOf('training_failed');
  const row = (code: ErrorCode) => `| \`${code}\` | ${statusText(code)} | \`${ERRORS[code].type}\` | ${ERROR_MEANINGS[code]} |`;
  const fault = (code: ErrorCode) => `| \`${code}\` | ${ERROR_MEANINGS[code]} |`;
  return `# Errors

Every error has OpenAI's shape, \`{"error": {"message", "type", "param", "code"}}\`, and the header \`x-request-id\`. \`param\` is the path of the field at
fault, e.g. \`method.supervised.hyperparameters.n_epochs\` or \`messages[2].role\`. Where there are figures to add they stand in \`error.tunefleet\`.

This page is made from the table in \`libs/contracts\`; a test holds the two together.

| code | status | type | meaning |
|--|--|--|--|
${codes.slice(0, first).map(row).join('\n')}

## Faults of a file's rows

They stand in a file's \`status_details\`, with line and column in \`GET /v1/files/{id}/validation\`, and in the \`error\` of a job that failed for them, with
\`param\` \`training_file\` or \`validation_file\`. \`invalid_json\` is among them for a row that is not JSON.

| code | meaning |
|--|--|
${codes.slice(first, failures).map(fault).join('\n')}

## Failures of work

In the \`error\` of a failed job or run.

| code | meaning |
|--|--|
${codes.slice(failures).map(fault).join('\n')}
`;
}
