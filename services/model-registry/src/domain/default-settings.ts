/** Learning rates at which the multiplier is 1, and how a base is tuned by default, where nothing else is said of it. */
export const DEFAULT_SETTINGS = { rates: { full: 2e-5, lora: 2e-4 }, default_adapter: 'lora' as const };
