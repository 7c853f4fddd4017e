export { convertGguf } from './convert-gguf.js';
export { mergeAdapter } from './merge-adapter.js';
