import type { Provider } from '../lowering/legalize.js';

/** How ONNX Runtime is spoken to: its C interface, or what the package onnxruntime-node offers. */
export type EngineInterface = 'native' | 'node';

export interface SessionSettings {
  /** Default: cpu. A provider that is not there is an error, never another provider. */
  readonly provider?: Provider;
  /** Threads within an operator; bytes of results are promised per thread count. Default 1. */
  readonly threads?: number;
  /** Whether threads wait for the next operator by spinning: faster, for a session that runs without pause. Default false. */
  readonly spinning?: boolean;
  /** Keep a second copy of frozen weights in the layout that products like best (5 to 12 % faster). Default true. */
  readonly prepacking?: boolean;
  /** Beginning of the path of a file that times every operator of every run; it is whole once the executable is released. */
  readonly profile?: string;
  /** Default: native where it can be loaded. Results are the same bytes. */
  readonly engineInterface?: EngineInterface;
}

/** Settings with every default filled in, as both interfaces take them. */
export interface ResolvedSettings {
  readonly provider: Provider;
  readonly threads: number;
  /** ONNX Runtime's own session entries, by key. */
  readonly entries: Readonly<Record<string, string>>;
  readonly profile: string | null;
}

const flag = (on: boolean): string => (on ? '1' : '0');

/**
 * Measured choices, besides these entries: the memory pattern nearly doubles the memory of activations, so it is off; without the
 * arena a step takes four times as long.
 */
export const resolveSettings = ({
  provider = 'cpu',
  threads = 1,
  spinning = false,
  prepacking = true,
  profile,
}: SessionSettings): ResolvedSettings => ({
  provider,
  threads,
  profile: profile ?? null,
  entries: {
    'session.use_device_allocator_for_initializers': '1',
    'session.disable_prepacking': flag(!prepacking),
    'session.intra_op.allow_spinning': flag(spinning),
  },
});
