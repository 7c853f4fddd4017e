import type { AdapterInfo, ArtifactManifest, TrainingClaim } from '@tunefleet/contracts';
import type { EngineIdentity } from '../supervision/protocol.js';
import type { DescribedFile } from './described.js';

export interface Artifact {
  kind: 'version' | 'checkpoint';
  step: number;
  /** Path of the folder below the attempt. */
  under: string;
  files: DescribedFile[];
  weights_sha256: string;
}

/** How a run came to its weights, beside what the trainer's claim says (hashes of files and base, settings, seed). */
export interface Provenance {
  engine: EngineIdentity;
  /** False as soon as one resume happened on another engine identity: byte-identity is not promised. */
  exact: boolean;
  code: string;
}

/** The immutable document that stands for an artifact; keys are below the job's attempt. */
export function artifactManifest(claim: TrainingClaim, attempt: number, artifact: Artifact, from: Provenance): ArtifactManifest {
  return {
    schema: 1,
    kind: artifact.kind,
    job: claim.job,
    attempt,
    step: artifact.step,
    adapter: claim.adapter satisfies AdapterInfo,
    base_precision: claim.base_precision,
    weights_sha256: artifact.weights_sha256,
    files: artifact.files.map(({ path, bytes, sha256 }) => ({ path, key: `${claim.prefix}${artifact.under}/${path}`, bytes, sha256 })),
    lineage: { ...claim.lineage, engine: from.engine, code: from.code, exact: from.exact },
  };
}
