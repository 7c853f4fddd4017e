export { type EvaluationCode, EvaluationError } from './errors.js';
export { type Grade, type Grader, parseGrader, StringCheck, type StringCheckGrader, type StringOperation } from './grader.js';
export { type PassRate, passRate } from './statistics.js';
export { type ParsedTemplate, parseTemplate, renderTemplate, type TemplateVariables } from './template.js';
