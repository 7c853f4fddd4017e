#!/usr/bin/env node
// `npm run build && node deploy/compose/make-secrets.mjs [FOLDER]`: makes what is missing of the passwords that compose and Kubernetes
// name, in deploy/compose/secrets unless a folder is given. Nothing that is there is changed.
import { join, resolve } from 'node:path';
import { writeClusterSecrets } from '../local/dist/cluster-secrets.js';

const IMAGE_USER = 1000; // USER of docker/Dockerfile

const folder = resolve(process.argv[2] ?? join(import.meta.dirname, 'secrets'));
const { files, differs } = writeClusterSecrets(folder);
process.stdout.write(`${folder}: ${files.join(', ')}\n`);
if (process.getuid && process.getuid() !== IMAGE_USER)
  process.stdout.write(
    `The files are yours alone: run compose with TUNEFLEET_UID=${process.getuid()} TUNEFLEET_GID=${process.getgid()}, so that the services can read them.\n`,
  );
if (differs) {
  process.stderr.write(
    'nats.conf is not what these credentials and this version give: delete it and run this again, or keep what you changed in it.\n',
  );
  process.exitCode = 1;
}
