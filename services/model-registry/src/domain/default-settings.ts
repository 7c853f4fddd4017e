import type { BaseRecord } from '../store/schemas.js';

/** Of a base that brings no `tunefleet.json`: learning rates at which the multiplier is 1, and the adapter. Encoders are small: all of one is tuned. */
export const defaultSettings = (head: BaseRecord['head']): Pick<BaseRecord, 'rates' | 'default_adapter'> => ({
  rates: { full: 2e-5, lora: 2e-4 },
  default_adapter: head === 'language_model' ? 'lora' : 'full',
});
