/** `smolLm2`: the file SmolLM2-135M-Instruct.Q4_1.gguf. `miniLm`: the folder all-MiniLM-L6-v2 (safetensors float32, BERT). */
export type ModelPackage = 'smolLm2' | 'miniLm';

/** The model's path, or why there is none: `missing` is for `skipUnless`, or for a benchmark's `DataAbsentError`. */
export function modelPackage(name: ModelPackage): { path: string; missing: '' } | { path: undefined; missing: string };
