/** Subjects a NATS user may publish to and subscribe to. */
export interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  /** Whether it may answer requests: to the reply subject of a message it received, once. */
  readonly answers: boolean;
}

const POD = 'trainer-pod';

/** All that JetStream's API offers on one stream: create, change, read, purge, consumers, direct gets, acknowledgements, flow control. */
const streamSubjects = (stream: string): string[] => [
  `$JS.API.STREAM.*.${stream}`,
  `$JS.API.STREAM.MSG.*.${stream}`,
  `$JS.API.CONSUMER.*.${stream}`,
  `$JS.API.CONSUMER.*.${stream}.>`,
  `$JS.API.CONSUMER.DURABLE.CREATE.${stream}.>`,
  `$JS.API.CONSUMER.MSG.NEXT.${stream}.>`,
  `$JS.API.DIRECT.GET.${stream}`,
  `$JS.API.DIRECT.GET.${stream}.>`,
  `$JS.ACK.${stream}.>`,
  `$JS.FC.${stream}.>`,
];

const bucketSubjects = (bucket: string): string[] => [`$KV.${bucket}.>`, ...streamSubjects(`KV_${bucket}`)];

/** A service's buckets: its records, its workers' heartbeats, the ids of creating requests, metrics. */
const BUCKETS = ['', '-leases', '-creations', '-metrics'];

/** What the seams in docs/architecture.md ("NATS") grant a user. Ownership of records is enforced here, not asked for. */
export const permissions = (user: string): Permissions => {
  if (user === POD) {
    // It reads the consumers that the trainer made; it makes none, and owns no records.
    const work = ['STREAM.INFO.WORK-trainer', 'CONSUMER.INFO.WORK-trainer.>', 'CONSUMER.MSG.NEXT.WORK-trainer.>'];
    return {
      publish: ['rpc.trainer.>', '$JS.API.INFO', ...work.map((subject) => `$JS.API.${subject}`), '$JS.ACK.WORK-trainer.>'],
      subscribe: ['control.>', `_INBOX.${user}.>`],
      answers: false,
    };
  }
  const own = [
    ...BUCKETS.flatMap((ending) => bucketSubjects(user + ending)),
    ...streamSubjects(`WORK-${user}`),
    `work.${user}.>`,
    `events.${user}.>`,
  ];
  return {
    publish: ['rpc.>', 'control.>', '$JS.API.INFO', ...own],
    subscribe: [`rpc.${user}.>`, 'events.>', 'control.>', `_INBOX.${user}.>`],
    answers: true,
  };
};

const list = (subjects: readonly string[]): string => `[${subjects.map((subject) => JSON.stringify(subject)).join(', ')}]`;

const userBlock = (user: string, password: string): string => {
  const { publish, subscribe, answers } = permissions(user);
  return `    {
      user: ${JSON.stringify(user)}, password: ${password}
      permissions: {
        publish: { allow: ${list(publish)} }
        subscribe: { allow: ${list(subscribe)} }${answers ? '\n        allow_responses: true' : ''}
      }
    }`;
};

/**
 * The configuration of nats-server.
 * @param listen `host:port`
 * @param store JetStream's folder
 * @param passwords of each user, as they are to stand in the file: a JSON string, or `$NAME` for an environment variable
 */
export const natsConfig = (listen: string, store: string, passwords: ReadonlyMap<string, string>): string =>
  `server_name: tunefleet
listen: ${JSON.stringify(listen)}
# An acknowledged write is on the disk: JetStream otherwise acknowledges before fsync.
jetstream: { store_dir: ${JSON.stringify(store)}, sync_interval: always }
authorization: {
  users: [
${[...passwords].map(([user, password]) => userBlock(user, password)).join('\n')}
  ]
}
`;
