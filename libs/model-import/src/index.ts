export { convertGguf } from './convert-gguf.js';
