export type EvaluationCode =
  /** A grader or setting that the API knows and this version does not run. */
  | 'not_supported'
  | 'unknown_parameter'
  | 'missing_required_parameter'
  | 'invalid_type'
  | 'invalid_value'
  /** A template that is not `{{item.x}}`, `{{sample.output_text}}` or `{{sample.output_json.x}}`. */
  | 'invalid_template'
  /** A variable that the item or sample does not have. */
  | 'invalid_variable'
  /** `sample.output_json` of an output that is not JSON. */
  | 'sample_parse_error';

/** `param` is the path of the value at fault, where there is one. */
export class EvaluationError extends Error {
  constructor(
    readonly code: EvaluationCode,
    message: string,
    readonly param: string | null = null,
  ) {
    super(message);
    this.name = 'EvaluationError';
  }
}
