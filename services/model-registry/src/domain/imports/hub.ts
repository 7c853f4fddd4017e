import { createWriteStream } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ApiError } from '@tunefleet/contracts';
import { chooseFiles, within } from './choose-files.js';
import type { Wanted } from './fetch.js';
import { publicLookup } from './public-address.js';

export const HUB = 'https://huggingface.co';

/** The hub's own hosts and those of its storage, to which it redirects. */
const HOSTS = /(^|\.)(huggingface\.co|hf\.co)$/;
const MAX_REDIRECTS = 5;
const IDLE_MS = 30_000;
/** Bytes of the description of a repository. */
const MAX_JSON_BYTES = 8 * 1024 * 1024;

/** The Hugging Face hub, or what serves the same addresses in its place. */
export interface Hub {
  /** Brings the model files of a repository into a folder, all of the one commit that the revision names now. Errors: `import_failed`. */
  fetch(repo: string, revision: string, wanted: Wanted): Promise<void>;
}

/**
 * @param endpoint a mirror that the operator has chosen is trusted at its own origin; everything else has to be the hub's: https, the hosts of
 * HOSTS, public addresses, each redirect looked at anew
 */
export function openHub(endpoint: string = HUB): Hub {
  const own = new URL(endpoint).origin;
  const trusted = own === HUB ? null : own;

  const get = async (url: URL, signal: AbortSignal, redirects = MAX_REDIRECTS): Promise<IncomingMessage> => {
    const response = await ask(url, trusted, signal);
    const { statusCode: status = 0, headers } = response;
    if (status === 200) return response;
    response.resume();
    if (![301, 302, 303, 307, 308].includes(status) || headers.location === undefined) throw refused(url, `answered with ${status}`);
    if (redirects === 0) throw refused(url, 'redirects too often');
    return get(new URL(headers.location, url), signal, redirects - 1);
  };

  return {
    async fetch(repo, revision, { folder, adapter, signal }) {
      const { sha, names } = await describe(
        await get(new URL(`${own}/api/models/${repo}/revision/${encodeURIComponent(revision)}`), signal),
        repo,
      );
      let bytes = 0;
      for (const name of chooseFiles(names, repo, adapter)) {
        const response = await get(new URL(`${own}/${repo}/resolve/${sha}/${encodeURIComponent(name)}`), signal);
        const counted = async function* (): AsyncGenerator<Buffer> {
          for await (const chunk of response as AsyncIterable<Buffer>) {
            bytes = within(bytes + chunk.length);
            yield chunk;
          }
        };
        await pipeline(counted, createWriteStream(join(folder, name)), { signal });
      }
    },
  };
}

const refused = (url: URL, what: string): ApiError =>
  new ApiError('import_failed', `${url.origin}${url.pathname} ${what}.`, { param: 'source' }); // never the query: it may be signed

function ask(url: URL, trusted: string | null, signal: AbortSignal): Promise<IncomingMessage> {
  const isTrusted = url.origin === trusted;
  if (!isTrusted && !(url.protocol === 'https:' && url.port === '' && HOSTS.test(url.hostname))) {
    throw refused(url, 'is not an address that imports may come from');
  }
  const open = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request = open(url, { signal, headers: { 'user-agent': 'tunefleet' }, ...(isTrusted ? {} : { lookup: publicLookup }) });
    request.setTimeout(IDLE_MS, () => request.destroy(new Error('no byte for 30 s')));
    request
      .on('response', resolve)
      .on('error', (cause) => reject(signal.aborted ? cause : refused(url, `cannot be read: ${cause.message}`)));
    request.end();
  });
}

async function describe(response: IncomingMessage, repo: string): Promise<{ sha: string; names: string[] }> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_JSON_BYTES) break;
    chunks.push(chunk);
  }
  try {
    const { sha, siblings } = JSON.parse(Buffer.concat(chunks).toString()) as { sha?: unknown; siblings?: unknown };
    if (typeof sha === 'string' && /^[0-9a-f]{40}$/.test(sha) && Array.isArray(siblings)) {
      return { sha, names: siblings.map((one: { rfilename?: unknown }) => String(one?.rfilename)) };
    }
  } catch (cause) {
    throw new ApiError('import_failed', `The description of ${repo} is not JSON.`, { param: 'source', cause });
  }
  throw new ApiError('import_failed', `The description of ${repo} names no commit or no files.`, { param: 'source' });
}
