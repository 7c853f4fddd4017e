import { connect } from '@tunefleet/messaging';
import { createLogger, readConfig, runService } from '@tunefleet/service';
import { gatewayApp } from './app.js';
import { GatewayConfig } from './config.js';
import { keepBootstrapKey } from './domain/bootstrap.js';
import { openKeys } from './store/keys.js';

const name = 'gateway';
const config = readConfig(GatewayConfig);
const logger = createLogger(name, config.LOG_LEVEL);
const bus = await connect({ url: config.NATS_URL, creds: config.NATS_CREDS, name, logger });
const keys = await openKeys(bus);
await keepBootstrapKey(keys, config.TUNEFLEET_API_KEY);
const app = await gatewayApp({ config, logger, bus, keys });
await runService({ name, config, logger, app, phases: [{ name: 'nats', seconds: 5, run: () => bus.drain() }] });
