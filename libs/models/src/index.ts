export { PURPOSE, type Purpose, type RandomStream, randomStream } from './random/stream.js';
