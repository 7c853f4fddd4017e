#!/usr/bin/env node
// What a running fleet takes of memory: `node tools/memory.mjs [--json]`, TUNEFLEET_DATA as for `npm start`. Linux only.
// PSS (proportional set size): pages that several processes share are counted once, split among them, so that the sum is what the
// fleet really takes; RSS would count node's own binary ten times.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup/cache.mjs';

const data = process.env.TUNEFLEET_DATA || join(root, '.tunefleet');
const run = join(data, 'run');
const MB = 1024; // kB as /proc gives them in a MB

const rollup = (pid) => {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kilobytes = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
  return {
    pss: kilobytes('Pss') / MB,
    anonymous: kilobytes('Pss_Anon') / MB,
    file: kilobytes('Pss_File') / MB,
    rss: kilobytes('Rss') / MB,
  };
};

/** Files in which the processes of a fleet leave their numbers. */
const pidFiles = () => {
  try {
    return readdirSync(run).filter((name) => name.endsWith('.pid'));
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
};

const rows = [];
for (const file of pidFiles().sort()) {
  const pid = Number(readFileSync(join(run, file), 'utf8'));
  try {
    rows.push({ process: file.slice(0, -'.pid'.length), pid, ...rollup(pid) });
  } catch (error) {
    process.stderr.write(`${file}: ${error.message}\n`);
  }
}
if (rows.length === 0) {
  process.stderr.write(
    `No fleet runs on ${data}. Start one with \`npm start\`, or set TUNEFLEET_DATA to the data folder of the one that runs.\n`,
  );
  process.exit(1);
}
const sum = { process: 'sum', pid: '' };
for (const key of ['pss', 'anonymous', 'file', 'rss']) sum[key] = rows.reduce((total, row) => total + row[key], 0);

if (process.argv.includes('--json')) console.log(JSON.stringify({ megabytes: sum.pss, processes: rows }));
else {
  const line = (cells) => cells.map((cell, index) => (index === 0 ? String(cell).padEnd(30) : String(cell).padStart(9))).join(' ');
  console.log(line(['process', 'pid', 'PSS MB', 'own', 'files', 'RSS']));
  const figures = ({ pss, anonymous, file, rss }) => [pss, anonymous, file, rss].map((value) => value.toFixed(1));
  for (const row of [...rows, sum]) console.log(line([row.process, row.pid, ...figures(row)]));
}
