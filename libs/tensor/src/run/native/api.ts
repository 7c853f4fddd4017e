import koffi, { type LibraryHandle } from 'koffi';
import { mainLibrary } from '../library.js';
import '../without-telemetry.js';
import { atMost } from './at-most.js';
import { loadLibrary } from './foreign.js';

/** An address of ONNX Runtime's own: an OrtSession, an OrtValue, ... */
export type Handle = bigint;

/** Calls on threads at once: koffi refuses more than 256 in a process, and Node has 4 threads for them unless it is told otherwise. */
const CALLS = 64;

/** Version of the C interface that is asked for; it only ever grows, so a newer library answers too. */
const API_VERSION = 30;

/**
 * Functions of OrtApi that are used: their place in that structure, whose order never changes, and their arguments
 * (onnxruntime_c_api.h, 1.30). Each returns a status: 0, or what went wrong. `out` is where a handle is written.
 */
const FUNCTIONS = {
  CreateEnv: { slot: 3, arguments: ['int', 'str', 'out'] },
  CreateSession: { slot: 7, arguments: ['handle', 'path', 'handle', 'out'] },
  CreateSessionOptions: { slot: 10, arguments: ['out'] },
  SetOptimizedModelFilePath: { slot: 11, arguments: ['handle', 'path'] },
  SetSessionExecutionMode: { slot: 13, arguments: ['handle', 'int'] },
  EnableProfiling: { slot: 14, arguments: ['handle', 'path'] },
  DisableMemPattern: { slot: 17, arguments: ['handle'] },
  SetSessionLogSeverityLevel: { slot: 22, arguments: ['handle', 'int'] },
  SetSessionGraphOptimizationLevel: { slot: 23, arguments: ['handle', 'int'] },
  SetIntraOpNumThreads: { slot: 24, arguments: ['handle', 'int'] },
  SetInterOpNumThreads: { slot: 25, arguments: ['handle', 'int'] },
  CreateTensorAsOrtValue: { slot: 48, arguments: ['handle', 'array', 'size', 'int', 'out'] },
  CreateTensorWithDataAsOrtValue: { slot: 49, arguments: ['handle', 'array', 'size', 'array', 'size', 'int', 'out'] },
  CreateMemoryInfo: { slot: 68, arguments: ['str', 'int', 'int', 'int', 'out'] },
  AddSessionConfigEntry: { slot: 130, arguments: ['handle', 'str', 'str'] },
  CreateAllocator: { slot: 131, arguments: ['handle', 'handle', 'out'] },
  RunWithBinding: { slot: 133, arguments: ['handle', 'handle', 'handle'] },
  CreateIoBinding: { slot: 134, arguments: ['handle', 'out'] },
  BindInput: { slot: 136, arguments: ['handle', 'str', 'handle'] },
  BindOutput: { slot: 137, arguments: ['handle', 'str', 'handle'] },
  SessionOptionsAppendExecutionProvider: { slot: 216, arguments: ['handle', 'str', 'handle', 'handle', 'size'] },
} as const;

const RELEASES = {
  ReleaseStatus: 93,
  ReleaseMemoryInfo: 94,
  ReleaseSession: 95,
  ReleaseValue: 96,
  ReleaseSessionOptions: 100,
  ReleaseAllocator: 132,
  ReleaseIoBinding: 135,
} as const;

const C_TYPES = {
  int: 'int',
  str: 'str',
  // ORTCHAR_T: UTF-16 on Windows.
  path: process.platform === 'win32' ? 'str16' : 'str',
  size: 'size_t',
  handle: 'uintptr_t',
  // Typed arrays go as they are: koffi holds them during the call. An address alone would not keep them from the garbage collector.
  array: 'void *',
  out: 'void *',
} as const;

type Kind = keyof typeof C_TYPES;
type ArgumentOf<K extends Kind> = K extends 'int' | 'size'
  ? number
  : K extends 'str' | 'path'
    ? string
    : K extends 'array'
      ? ArrayBufferView
      : Handle;
type ArgumentsOf<Kinds extends readonly Kind[]> = { -readonly [Place in keyof Kinds]: ArgumentOf<Kinds[Place]> };
/** Without the last `out`. */
type BeforeOut<Kinds extends readonly Kind[]> = Kinds extends readonly [...infer Before extends readonly Kind[], 'out'] ? Before : never;
type Called<Kinds extends readonly Kind[]> =
  BeforeOut<Kinds> extends never ? (...given: ArgumentsOf<Kinds>) => void : (...given: ArgumentsOf<BeforeOut<Kinds>>) => Handle;

type Functions = { readonly [Name in keyof typeof FUNCTIONS]: Called<(typeof FUNCTIONS)[Name]['arguments']> };
type Releases = { readonly [Name in keyof typeof RELEASES]: (handle: Handle) => void };

/** ONNX Runtime's C interface. A failed call throws an Error with ONNX Runtime's message. */
export interface OrtApi extends Functions, Releases {
  /** CreateSession and RunWithBinding on a thread of their own: the event loop goes on. What the handles stand for must live until then. */
  open(environment: Handle, path: string, options: Handle): Promise<Handle>;
  run(session: Handle, binding: Handle): Promise<void>;
  /** CUDA's default options, on device 0: a symbol of its own, not a slot. */
  appendCuda(options: Handle): void;
}

type Native = ReturnType<LibraryHandle['func']>;

const load = (): OrtApi => {
  const library = loadLibrary(mainLibrary());
  // OrtApiBase: GetApi, GetVersionString.
  const base: unknown = library.func('void *OrtGetApiBase()')();
  const at = (structure: unknown, slot: number, result: string, types: readonly string[]): Native =>
    koffi.decode(koffi.decode(structure, slot * koffi.sizeof('void *'), 'void *'), koffi.proto(result, [...types])) as Native;
  const api: unknown = at(base, 0, 'void *', ['uint32_t'])(API_VERSION);
  if (api === null) throw new Error(`ONNX Runtime has no C interface of version ${API_VERSION}`);

  const message = at(api, 2, 'str', ['uintptr_t']);
  const release = (slot: number): ((handle: Handle) => void) => at(api, slot, 'void', ['uintptr_t']);
  const releaseStatus = release(RELEASES.ReleaseStatus);
  const check = (status: number | bigint): void => {
    if (Number(status) === 0) return;
    const text = String(message(status));
    releaseStatus(BigInt(status));
    throw new Error(text);
  };

  const nativeOf = (name: keyof typeof FUNCTIONS): Native => {
    const { slot, arguments: kinds } = FUNCTIONS[name];
    const types = kinds.map((kind) => C_TYPES[kind]);
    return at(api, slot, 'uintptr_t', types);
  };
  const functions = (Object.keys(FUNCTIONS) as (keyof typeof FUNCTIONS)[]).map((name) => {
    const native = nativeOf(name);
    const gives = FUNCTIONS[name].arguments.at(-1) === 'out';
    const call = (...given: unknown[]): unknown => {
      const out = new BigUint64Array(1);
      check(native(...given, ...(gives ? [out] : [])));
      return gives ? out[0] : undefined;
    };
    return [name, call] as const;
  });
  const inTurn = atMost(CALLS);
  const later = (native: Native, ...given: unknown[]): Promise<void> =>
    inTurn(
      () =>
        new Promise((resolve, reject) => {
          native.async(...given, (failure: Error | null, status: number | bigint) => {
            try {
              if (failure) throw failure;
              check(status);
              resolve();
            } catch (error) {
              reject(error);
            }
          });
        }),
    );
  const [createSession, runWithBinding] = [nativeOf('CreateSession'), nativeOf('RunWithBinding')];
  return {
    ...(Object.fromEntries(functions) as Functions),
    ...(Object.fromEntries(Object.entries(RELEASES).map(([name, slot]) => [name, release(slot)])) as Releases),
    open: async (environment, path, options) => {
      const out = new BigUint64Array(1);
      await later(createSession, environment, path, options, out);
      return out[0]!;
    },
    // 0: default run options.
    run: (session, binding) => later(runWithBinding, session, 0n, binding),
    appendCuda: (options) =>
      check(library.func('OrtSessionOptionsAppendExecutionProvider_CUDA', 'uintptr_t', ['uintptr_t', 'int'])(options, 0)),
  };
};

let loaded: OrtApi | undefined;

/** Loaded once for the process; throws where koffi or ONNX Runtime's library cannot be. */
export const ortApi = (): OrtApi => {
  loaded ??= load();
  return loaded;
};
