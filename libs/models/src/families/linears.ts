import { blockLinears, type LinearModule, type LlamaConfig, llamaTensorShapes } from '@tunefleet/model-formats';

/** The linear modules of the blocks in the order of the forward pass: what "all-linear" means (every linear but the head). */
export const llamaLinears = (config: LlamaConfig): LinearModule[] => blockLinears(llamaTensorShapes(config));
