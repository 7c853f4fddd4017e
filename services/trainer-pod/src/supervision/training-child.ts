import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { writePidFile } from './pid-file.js';
import type { FromTraining, ToTraining } from './protocol.js';

export interface ChildExit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The end of what it wrote to stderr. */
  stderr: string;
}

export interface TrainingChild {
  readonly pid: number;
  /** Resolves when the process is gone and every message it sent was handled. */
  readonly exited: Promise<ChildExit>;
  /** Ask for a snapshot and an orderly exit. */
  yield(): void;
  kill(): void;
}

const ENTRY = fileURLToPath(new URL('../training-process.js', import.meta.url));
const STDERR_KEPT = 4000;

/** What a training process may see of our environment: nothing that names a server or holds a credential. */
const PASSED_ON = ['PATH', 'TMPDIR', 'LANG', 'TZ', 'LD_LIBRARY_PATH', 'OMP_NUM_THREADS'];
const environment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => PASSED_ON.includes(name) || name.startsWith('TUNEFLEET_ENGINE_')));

/** Forks a training process in `folder`. Its IPC channel is its life line: it ends when this pod does. */
export async function startTraining(options: {
  folder: string;
  job: string;
  runFolder: string | undefined;
  entry?: string;
  onMessage: (message: FromTraining) => void;
}): Promise<TrainingChild> {
  const child: ChildProcess = fork(options.entry ?? ENTRY, [], {
    cwd: options.folder,
    env: environment(),
    execArgv: [],
    serialization: 'advanced', // floats keep every bit
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_KEPT);
  });
  child.on('message', (message) => options.onMessage(message as FromTraining));
  const closed = new Promise<ChildExit>((resolve) => {
    child.once('error', (error) => resolve({ code: null, signal: null, stderr: String(error) }));
    // 'close' comes after the last message and the last output, 'exit' may come before them.
    child.once('close', (code, signal) => resolve({ code, signal, stderr }));
  });
  const removePid = child.pid === undefined ? null : await writePidFile(options.runFolder, `training-${options.job}`, child.pid);
  const exited = closed.then(async (exit) => {
    await removePid?.();
    return exit;
  });
  return {
    pid: child.pid ?? -1,
    exited,
    yield: () => {
      if (child.connected) child.send({ type: 'yield' } satisfies ToTraining);
    },
    kill: () => {
      child.kill('SIGKILL');
    },
  };
}
