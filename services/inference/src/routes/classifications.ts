import { ClassificationList, CreateClassificationBody } from '@tunefleet/contracts';
import type { App } from '@tunefleet/service';
import { classify } from '../domain/classify.js';
import type { Models } from '../domain/models.js';
import { ROUTE } from './respond.js';

/** `POST /v1/classifications`. */
export function classificationRoute(app: App, models: Models): void {
  app.post(
    '/v1/classifications',
    { ...ROUTE, schema: { body: CreateClassificationBody, response: { 200: ClassificationList } } },
    async ({ body, identity }) => {
      const lease = await models.leaseClassifier(identity.project, body.model);
      try {
        return await classify(lease, body.input);
      } finally {
        lease.release();
      }
    },
  );
}
