import { ApiError, type OnceRequest } from '@tunefleet/contracts';
import type { FastifyRequest } from 'fastify';

/** `bodyHash` is that of the raw JSON body unless given (multipart: of fields and file hashes). */
export function onceRequest(request: FastifyRequest, bodyHash = request.bodyHash ?? ''): OnceRequest {
  const key = request.headers['idempotency-key'];
  if (key !== undefined && (typeof key !== 'string' || key.length === 0 || key.length > 255))
    throw new ApiError('invalid_value', "Invalid value for 'Idempotency-Key': expected 1 to 255 characters.", { param: 'Idempotency-Key' });
  const retries = Number(request.headers['x-stainless-retry-count'] ?? 0);
  return {
    project: request.identity.project,
    keyId: request.identity.keyId,
    method: request.method,
    path: request.raw.url?.split('?')[0] ?? '',
    bodyHash,
    idempotencyKey: key ?? null,
    retryCount: Number.isInteger(retries) && retries > 0 ? retries : 0,
  };
}
