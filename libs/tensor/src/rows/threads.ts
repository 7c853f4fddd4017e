import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { SharedMemory } from '../webassembly/assembler.js';
import type { FromThread, ToThread } from './steps.js';
import type { RowThreadData } from './thread.js';

const THREAD = new URL('./thread.js', import.meta.url);

/** Threads over one memory. Where one fails, all end, and what is asked of them is refused. */
export class RowThreads {
  readonly #first: Worker;
  readonly #others: readonly { readonly thread: Worker; readonly port: MessagePort }[];
  readonly #answers: ((message: FromThread) => void)[] = [];
  #failure: Error | null = null;
  #refuse: (error: Error) => void = () => undefined;
  readonly #failed: Promise<never>;

  constructor(memory: SharedMemory, threads: number) {
    this.#failed = new Promise((_, reject) => {
      this.#refuse = reject;
    });
    this.#failed.catch(() => undefined);
    const begin = (number: number, port: MessagePort | null): Worker => {
      const workerData: RowThreadData = { memory, number, threads, port };
      // No options of this process: some (--input-type) are errors for a file.
      const thread = new Worker(THREAD, { workerData, transferList: port === null ? [] : [port], execArgv: [] });
      thread.on('error', (error) => this.#end(error));
      thread.on('exit', (code) => this.#end(new Error(`a thread of row programs ended with ${code}`)));
      thread.on('message', (message: FromThread) => this.#answers.shift()!(message));
      // An idle one keeps no process alive; who listens for messages holds it until then.
      thread.unref();
      return thread;
    };
    this.#others = Array.from({ length: threads - 1 }, (_, index) => {
      const { port1, port2 } = new MessageChannel();
      port1.unref();
      return { thread: begin(index + 1, port2), port: port1 };
    });
    this.#first = begin(0, null);
  }

  /** For messages without an answer. */
  tell(message: ToThread): void {
    if (this.#failure) throw this.#failure;
    for (const { port } of this.#others) port.postMessage(message);
    this.#first.postMessage(message);
  }

  /** `pack` is the first thread's alone; a run all threads have done when it is answered. */
  async ask(message: ToThread): Promise<FromThread> {
    if (this.#failure) throw this.#failure;
    const answered = new Promise<FromThread>((resolve) => this.#answers.push(resolve));
    this.#first.ref();
    try {
      if (message.type === 'pack') this.#first.postMessage(message);
      else this.tell(message);
      return await Promise.race([answered, this.#failed]);
    } finally {
      this.#first.unref();
    }
  }

  async end(): Promise<void> {
    this.#end(new Error('the row engine was released'));
    await Promise.all([this.#first, ...this.#others.map(({ thread }) => thread)].map((thread) => thread.terminate()));
  }

  #end(error: Error): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#refuse(error);
    for (const { thread, port } of this.#others) {
      port.close();
      void thread.terminate();
    }
    void this.#first.terminate();
  }
}
