/** What a process is given beside what all get. */
type Need =
  /** the folder of objects: only services that own a prefix in it */
  | 'objects'
  /** the URLs of the other services, and the admin key */
  | 'routes'
  /** the folder of bundled base models */
  | 'base-models'
  /** how many pods there are */
  | 'slots';

export interface Service {
  /** The folder under `services/`; the pid file, the log and the NATS user are named after it. */
  readonly name: string;
  /** What node runs, relative to the repository or absolute. */
  readonly entry: string;
  readonly needs: readonly Need[];
  /** When it ends: the gateway first, so that nothing new comes in; then the pods, while those they report to still answer. */
  readonly role: 'gateway' | 'pod' | 'service';
}

const service = (name: string, role: Service['role'], ...needs: Need[]): Service => ({
  name,
  entry: `services/${name}/dist/server.js`,
  role,
  needs,
});

/** The fleet. `pod` entries are started as often as TUNEFLEET_PODS says, as `<name>-1`, `<name>-2`, ... */
export const SERVICES: readonly Service[] = [
  service('gateway', 'gateway', 'routes'),
  service('dataset', 'service', 'objects'),
  service('trainer', 'service', 'objects', 'slots'),
  service('evaluator', 'service', 'objects'),
  service('model-registry', 'service', 'objects', 'base-models'),
  service('inference', 'service'),
  service('trainer-pod', 'pod'),
];
