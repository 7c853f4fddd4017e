// The real servers that integration tests start. Each test file starts its own and closes it in `afterAll`.
export { NATS_MISSING, type NatsTestServer, natsServerPath, startNatsServer } from './nats-server.js';
export { type S3TestServer, s3Missing, startS3Server } from './s3-server.js';
