import { ApiError } from '@tunefleet/contracts';
import type { App } from '@tunefleet/service';

/** Areas of OpenAI's API that clients may ask for and that are not built: refused by name, so that nobody looks for a typing error. */
const AREAS: [name: string, path: string][] = [
  ['Uploads in parts', '/v1/uploads'],
  ['Permissions of checkpoints', '/v1/fine_tuning/checkpoints'],
  ['Graders of reinforcement fine-tuning', '/v1/fine_tuning/alpha'],
];

export function unsupportedRoutes(app: App): void {
  void app.register(async (areas) => {
    areas.removeAllContentTypeParsers();
    areas.addContentTypeParser('*', (_request, _payload, done) => done(null));
    for (const [name, path] of AREAS)
      for (const url of [path, `${path}/*`])
        areas.all(url, { config: { scope: 'read' }, schema: { hide: true } }, async () => {
          throw new ApiError('not_supported', `${name} (${path}) are not supported here.`);
        });
  });
}
