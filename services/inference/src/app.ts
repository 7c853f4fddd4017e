import type { Bus } from '@tunefleet/messaging';
import { type App, createApp, type Logger } from '@tunefleet/service';
import type { Config } from './config.js';
import { complete } from './domain/complete.js';
import type { Models } from './domain/models.js';
import { chatCompletionRoute } from './routes/chat-completions.js';
import { classificationRoute } from './routes/classifications.js';
import { completionRoute } from './routes/completions.js';

/** HTTP routes and the RPC method of inference on its parts. */
export async function buildApp(parts: { config: Config; logger: Logger; bus: Bus; models: Models; fingerprint: string }): Promise<App> {
  const { config, logger, bus, models, fingerprint } = parts;
  const app = await createApp({ name: 'inference', title: 'Tunefleet inference', config, logger, checks: { nats: () => bus.connected() } });
  chatCompletionRoute(app, models, fingerprint);
  completionRoute(app, models, fingerprint);
  classificationRoute(app, models);
  bus.respond('inference.complete', (request) => complete(models, request, app.draining));
  return app;
}
