import type { ModelHead } from '@tunefleet/contracts';
import type { BaseRecord, VersionRecord } from '../store/schemas.js';

export const headOfBase = ({ head }: Pick<BaseRecord, 'head'>): ModelHead => head ?? 'language_model';

/** A tuned model has the head that its task gave it. */
export function headOfVersion({ manifest }: Pick<VersionRecord, 'manifest'>): ModelHead {
  const settings = manifest.lineage['settings'] as { task?: string } | undefined;
  return settings?.task === 'classification' ? 'classifier' : 'language_model';
}
