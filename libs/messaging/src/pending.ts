const AGAIN_MS = 250;

/**
 * Requests under way, by the service asked. A service that is killed takes what it had begun to answer to its grave, and a NATS server the answers that were on
 * their way; without more, the caller would wait for its whole time-out. So they are sent again when that service, or the connection, is back.
 */
export class Pending {
  private readonly byService = new Map<string, Set<() => void>>();

  /** The first answer to any sending. Fails as the first sending does: at once where nobody listens, else when its time is over. */
  async send<T>(service: string, timeoutMs: number, send: (timeoutMs: number) => Promise<T>): Promise<T> {
    const deadline = performance.now() + timeoutMs;
    const under = this.byService.get(service) ?? new Set();
    this.byService.set(service, under);
    let timer: NodeJS.Timeout | undefined;
    let settled = false;
    let again: () => void = () => undefined;
    try {
      return await new Promise<T>((resolve, reject) => {
        again = () => {
          clearTimeout(timer);
          const left = Math.floor(deadline - performance.now());
          if (settled || left <= 0) return;
          send(left).then(resolve, () => {
            // Not all of it is back yet, perhaps.
            if (!settled) timer = setTimeout(again, AGAIN_MS);
          });
        };
        under.add(again);
        send(timeoutMs).then(resolve, reject);
      });
    } finally {
      settled = true;
      clearTimeout(timer);
      under.delete(again);
    }
  }

  /** Sends again what this service, or any, has not answered yet. */
  again(service?: string): void {
    for (const [name, under] of this.byService) if (service === undefined || name === service) for (const send of [...under]) send();
  }
}
