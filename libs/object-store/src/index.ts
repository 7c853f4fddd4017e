import { type FolderOptions, openFolderStore } from './folder-store.js';
import type { ObjectStore } from './object-store.js';
import { openS3Store, type S3Options } from './s3-store.js';

export { type ObjectStoreConfig, objectStoreConfig, objectStoreFromConfig } from './config.js';
export * from './object-store.js';
export { DigestMismatch, download, TransferRefused, upload } from './transfer.js';

export const openObjectStore = async (options: FolderOptions | S3Options): Promise<ObjectStore> =>
  'folder' in options ? openFolderStore(options) : openS3Store(options);
