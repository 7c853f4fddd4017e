import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const COMMIT = '0123456789abcdef0123456789abcdef01234567';

/** A server with the addresses of the Hugging Face hub: one repository, `owner/model`, whose files are redirected to `/storage/`, as the hub does. */
export interface HubServer {
  url: string;
  /** Paths that were asked for. */
  readonly asked: string[];
  /** What the repository holds. */
  files: Record<string, Uint8Array>;
  /** Where a file is redirected to, instead of `/storage/`. */
  redirect: ((name: string) => string) | null;
  close(): void;
}

export async function startHub(): Promise<HubServer> {
  const hub: HubServer = { url: '', asked: [], files: {}, redirect: null, close: () => server.close() };
  const answers: [RegExp, (response: ServerResponse, name: string) => void][] = [
    [
      /^\/api\/models\/owner\/model\/revision\/(.+)$/,
      (response) => response.end(JSON.stringify({ sha: COMMIT, siblings: Object.keys(hub.files).map((rfilename) => ({ rfilename })) })),
    ],
    [
      new RegExp(`^/owner/model/resolve/${COMMIT}/(.+)$`),
      (response, name) => response.writeHead(302, { location: hub.redirect?.(name) ?? `/storage/${name}` }).end(),
    ],
    [/^\/storage\/(.+)$/, (response, name) => response.end(hub.files[name])],
  ];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '', 'http://hub').pathname);
    hub.asked.push(path);
    for (const [pattern, answer] of answers) {
      const name = pattern.exec(path)?.[1];
      if (name !== undefined) return answer(response, name);
    }
    return response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  hub.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return hub;
}
