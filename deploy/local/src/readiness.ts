import { get } from 'node:http';
import { connect } from 'node:net';

const TIMEOUT_MS = 2000; // one question

/** Whether GET /health/ready on 127.0.0.1:port answers 200. */
export const answersReady = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/health/ready', timeout: TIMEOUT_MS, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });

/** Whether a nats-server on 127.0.0.1:port greets: it does when JetStream has recovered its store. */
export const greets = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(TIMEOUT_MS, () => end(false));
    socket.once('data', (chunk) => end(chunk.toString().startsWith('INFO')));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
  });
