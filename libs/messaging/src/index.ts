export type { Bus, BusOptions, EventName, Logger, RequestOptions } from './bus.js';
export { connect } from './connect.js';
export { currentContext, type RequestContext, withContext } from './context.js';
