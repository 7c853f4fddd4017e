import type { Logger } from '@tunefleet/service';
import type { Route } from '../proxy/routing.js';

interface Document {
  paths?: Record<string, unknown>;
  components?: Record<string, Record<string, unknown>>;
  [key: string]: unknown;
}

const KEPT_MS = 60_000;
const ASK_MS = 3000;

async function ask(origin: URL, logger: Logger): Promise<Document | null> {
  try {
    const response = await fetch(new URL('/openapi.json', origin), { signal: AbortSignal.timeout(ASK_MS) });
    return response.ok ? ((await response.json()) as Document) : null;
  } catch (err) {
    logger.warn({ err, origin: origin.origin }, 'a service has no OpenAPI document just now');
    return null;
  }
}

/** The fleet's document: our own, and of each service the paths that are routed to it. A service that is away is named in `x-missing-services`. */
export function fleetDocument(routes: Route[], logger: Logger): (own: object) => Promise<object> {
  const origins = new Map(routes.map((route) => [route.service, route.origin]));
  let kept: { at: number; document: object } | undefined;

  return async (own) => {
    if (kept && Date.now() - kept.at < KEPT_MS) return kept.document;
    const merged = structuredClone(own) as Document;
    const missing: string[] = [];
    for (const [service, origin] of origins) {
      const document = await ask(origin, logger);
      if (!document) missing.push(service);
      const routed = (path: string) =>
        routes.some((route) => route.service === service && (path === route.path || path.startsWith(`${route.path}/`)));
      merged.paths = { ...merged.paths, ...Object.fromEntries(Object.entries(document?.paths ?? {}).filter(([path]) => routed(path))) };
      for (const [kind, parts] of Object.entries(document?.components ?? {})) {
        merged.components ??= {};
        merged.components[kind] = { ...parts, ...merged.components[kind] };
      }
    }
    if (missing.length > 0) return { ...merged, 'x-missing-services': missing };
    kept = { at: Date.now(), document: merged };
    return merged;
  };
}
