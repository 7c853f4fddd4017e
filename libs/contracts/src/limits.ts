/** Every limit of the public interface. Each one is tested and has its code in `errors.ts`. */
export const LIMITS = {
  fileBytes: 512 * 1024 * 1024,
  rowBytes: 4 * 1024 * 1024,
  rowDepth: 64,
  rowMessages: 2048,
  /** Nesting of a JSON body. */
  bodyDepth: 64,
  minExamples: 10,
  jsonBodyBytes: 1024 * 1024,
  chatBodyBytes: 20 * 1024 * 1024,
  evalBodyBytes: 20 * 1024 * 1024,
  /** Path parameters: `ft:` ids with suffix, project and checkpoint pass Fastify's default of 100. */
  paramLength: 1024,
  metadataPairs: 16,
  metadataKeyLength: 64,
  metadataValueLength: 512,
  suffixLength: 64,
  /** Uploads running at the same time in one dataset process. */
  concurrentUploads: 16,
  /** Files of an import, and their bytes together. */
  importFiles: 64,
  importBytes: 16 * 1024 ** 3,
  /** Jobs of a project that are not finished. */
  liveJobs: 1000,
  /** Faults listed with line and column by `GET /v1/files/{id}/validation`. */
  listedFaults: 100,
  fileListMax: 10_000,
  listMax: 100,
  identitySeconds: 60,
  signedUrlSeconds: 900,
  /** A NATS message: the server's default max_payload. */
  messageBytes: 1024 * 1024,
  recordBytes: 64 * 1024,
  fileExpiresMinSeconds: 3600,
  fileExpiresMaxSeconds: 2_592_000,
} as const;
