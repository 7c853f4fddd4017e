import type { ServerResponse } from 'node:http';

/** Aborts when the client is gone before the answer has ended: nothing is generated for nobody. */
export function abortOnClose(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort(new Error('the client is gone'));
  });
  return controller.signal;
}
