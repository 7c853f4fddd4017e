import { Type } from 'typebox';
import { openFolderStore } from './folder-store.js';
import type { ObjectStore } from './object-store.js';
import { openS3Store } from './s3-store.js';

const Text = Type.Optional(Type.String({ minLength: 1 }));

/** Environment of the object store, to be spread into a service's own schema: a folder, or all of the S3 settings. */
export const objectStoreConfig = {
  TUNEFLEET_OBJECTS: Text,
  AWS_ENDPOINT_URL_S3: Text,
  AWS_REGION: Text,
  AWS_ACCESS_KEY_ID: Text,
  AWS_SECRET_ACCESS_KEY: Text,
  TUNEFLEET_BUCKET: Text,
};

export type ObjectStoreConfig = Partial<Record<keyof typeof objectStoreConfig, string | undefined>>;

/** Opens what the environment names. `url`: where this service serves `/objects/*`, for a folder. */
export async function objectStoreFromConfig(
  config: ObjectStoreConfig,
  signingKey: string,
  url: string | (() => string),
): Promise<ObjectStore> {
  const { TUNEFLEET_OBJECTS: folder, AWS_ENDPOINT_URL_S3: endpoint } = config;
  if (folder && endpoint) throw new Error('TUNEFLEET_OBJECTS (a folder) and AWS_ENDPOINT_URL_S3 exclude each other: set one');
  if (folder) return openFolderStore({ folder, url, signingKey });
  if (!endpoint) throw new Error('expected TUNEFLEET_OBJECTS (a folder), or AWS_ENDPOINT_URL_S3 with the other S3 settings');
  const needed = (name: keyof ObjectStoreConfig): string => {
    const value = config[name];
    if (!value) throw new Error(`expected ${name} beside AWS_ENDPOINT_URL_S3`);
    return value;
  };
  return openS3Store({
    endpoint,
    region: needed('AWS_REGION'),
    accessKey: needed('AWS_ACCESS_KEY_ID'),
    secretKey: needed('AWS_SECRET_ACCESS_KEY'),
    bucket: needed('TUNEFLEET_BUCKET'),
  });
}
