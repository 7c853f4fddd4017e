import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..', '..');

/** Data that may not be committed lies beside the checkout or where this variable says. */
export const SHARED = process.env['TUNEFLEET_SHARED'] ?? join(ROOT, '..', 'shared');
