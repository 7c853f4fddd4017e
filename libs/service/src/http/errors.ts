import { ApiError, type ErrorCode } from '@tunefleet/contracts';
import type { FastifyInstance } from 'fastify';

const FASTIFY_CODES: Record<string, [ErrorCode, string]> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['body_too_large', 'The request body is larger than this route accepts.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type', "Unsupported content type: send JSON with 'Content-Type: application/json'."],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid_value', 'The request body does not have the length that Content-Length says.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['invalid_json', 'The request body is empty.'],
  FST_ERR_BAD_URL: ['unknown_url', 'The URL is malformed.'],
  FST_ERR_MAX_PARAM_LENGTH: ['unknown_url', 'A part of the URL is too long.'],
  FST_REQ_FILE_TOO_LARGE: ['file_too_large', 'The file is larger than this route accepts.'],
  FST_INVALID_MULTIPART_CONTENT_TYPE: ['unsupported_media_type', "Unsupported content type: send 'multipart/form-data'."],
  FST_FILES_LIMIT: ['invalid_multipart', 'The request holds more files than this route accepts.'],
  FST_FIELDS_LIMIT: ['invalid_multipart', 'The request holds more fields than this route accepts.'],
  FST_PARTS_LIMIT: ['invalid_multipart', 'The request holds more parts than this route accepts.'],
  FST_PROTO_VIOLATION: ['invalid_multipart', 'A field of the request has a name that is not allowed.'],
};

/** Any error as one of ours. What is not ours becomes `internal_error` without its text, which may hold addresses or paths. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const code = (error as { code?: unknown } | null)?.code;
  const known = typeof code === 'string' ? FASTIFY_CODES[code] : undefined;
  if (known) return new ApiError(known[0], known[1], { cause: error });
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  if (typeof status === 'number' && status >= 400 && status < 500)
    return new ApiError('invalid_value', 'The request could not be read.', { cause: error });
  return new ApiError('internal_error', 'The server had an error while processing your request. The request id leads to it in the logs.', {
    cause: error,
  });
}

/** Every error leaves in OpenAI's shape; unknown routes are `unknown_url`, known ones by another method `method_not_allowed`. */
export function answerErrors(app: FastifyInstance): void {
  const routes: { method: string; pattern: RegExp }[] = [];
  app.addHook('onRoute', ({ method, url }) => {
    const source = url
      .split('/')
      .map((part) => (part === '*' ? '.*' : part.startsWith(':') ? '[^/]+' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
      .join('/');
    for (const one of [method].flat()) routes.push({ method: one, pattern: new RegExp(`^${source}$`) });
  });
  app.setErrorHandler((error, request, reply) => {
    const answer = toApiError(error);
    const { status, code, param, retryAfterSeconds } = answer;
    if (status >= 500) request.log[status === 503 ? 'warn' : 'error']({ err: answer.cause ?? answer, code }, answer.message);
    else request.log.debug({ code, param }, answer.message);
    if (retryAfterSeconds !== null) reply.header('retry-after', String(retryAfterSeconds));
    return reply.code(status).type('application/json; charset=utf-8').serializer(JSON.stringify).send(answer.toBody());
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.raw.url?.split('?')[0] ?? '';
    const methods = [...new Set(routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method))];
    if (methods.length === 0) throw new ApiError('unknown_url', `Unknown request URL: ${request.method} ${path.slice(0, 200)}.`);
    reply.header('allow', methods.join(', '));
    throw new ApiError('method_not_allowed', `Not allowed to ${request.method} on ${path.slice(0, 200)}; it takes ${methods.join(', ')}.`);
  });
}
