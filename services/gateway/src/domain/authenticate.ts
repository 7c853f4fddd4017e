import type { IncomingHttpHeaders } from 'node:http';
import { ApiError, type Identity } from '@tunefleet/contracts';
import type { IndexedKey } from '../store/keys.js';
import { hashKey, idOfKey, sameHash } from './api-key.js';
import { BOOTSTRAP_ID } from './bootstrap.js';

/** What authentication asks of the store of keys. */
export interface KeyIndex {
  find(id: string): IndexedKey | null;
  all(): Iterable<IndexedKey>;
}

const refuse = (message: string) => new ApiError('invalid_api_key', message);

function presented(headers: IncomingHttpHeaders): string {
  const [, key] = /^Bearer +(\S.*)$/i.exec(headers.authorization ?? '') ?? [];
  if (key === undefined)
    throw refuse("You didn't provide an API key. Send it in the Authorization header: 'Authorization: Bearer YOUR_KEY'.");
  return key;
}

/** OpenAI's clients may name a project; it must not be another one that exists here. Names that we do not know are the client's affair. */
function holdProject(headers: IncomingHttpHeaders, keys: KeyIndex, project: string): void {
  for (const header of ['openai-project', 'openai-organization']) {
    const named = headers[header];
    if (typeof named !== 'string' || named === project) continue;
    for (const other of keys.all())
      if (other.project === named)
        throw new ApiError('project_mismatch', `This API key belongs to another project than the header '${header}' names.`, {
          param: header,
        });
  }
}

/** The identity behind a request's key. Unknown, revoked, expired and malformed keys are told apart by nobody but their owner. */
export function identify(headers: IncomingHttpHeaders, keys: KeyIndex, now = Date.now()): Identity {
  const key = presented(headers);
  // Node reads headers as Latin-1: these are the bytes that were sent, whatever the first key's form.
  const hash = hashKey(Buffer.from(key, 'latin1'));
  const candidates = [idOfKey(key), BOOTSTRAP_ID].map((id) => (id === null ? null : keys.find(id)));
  const found = candidates.find((candidate) => candidate && sameHash(candidate.hash, hash));
  if (!found || (found.expires_at !== null && found.expires_at * 1000 <= now))
    throw refuse('Incorrect API key provided: it is unknown, revoked or expired.');
  holdProject(headers, keys, found.project);
  return { project: found.project, keyId: found.id, scope: found.scope };
}
