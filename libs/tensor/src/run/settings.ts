import type { Provider } from '../provider.js';

/** How ONNX Runtime is spoken to: its C interface, or what the package onnxruntime-node offers. */
export type EngineInterface = 'native' | 'node';

export interface SessionSettings {
  /** Default: cpu. A provider that is not there is an error, never another provider. */
  readonly provider?: Provider;
  /** Threads within an operator, a whole number from 1; bytes of results are promised per thread count. Default 1. */
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

/** What is known of a model's file before a session is made of it. */
export interface ModelStage {
  /** It was written by a session with `saveTo`: nothing is left to optimize or to pack. */
  readonly optimized?: boolean;
  /** Write the optimized graph to this path, its weights (with their packed copies) to a file of this name beside it. */
  readonly saveTo?: { readonly model: string; readonly weights: string };
}

/** Settings with every default filled in, as both interfaces take them. */
export interface ResolvedSettings {
  readonly provider: Provider;
  readonly threads: number;
  /** ONNX Runtime's own session entries, by key. */
  readonly entries: Readonly<Record<string, string>>;
  readonly profile: string | null;
  /** ONNX Runtime's GraphOptimizationLevel. */
  readonly optimization: 'none' | 'all';
  /** Path for the optimized graph. */
  readonly saveTo: string | null;
}

/** Weights of this many bytes and more go to the file of weights, not into the model's own. */
const LEAST_EXTERNAL_BYTES = '1024';

const savedWeights = (file: string, packed: boolean): Record<string, string> => ({
  'session.optimized_model_external_initializers_file_name': file,
  'session.optimized_model_external_initializers_min_size_in_bytes': LEAST_EXTERNAL_BYTES,
  'session.save_external_prepacked_constant_initializers': flag(packed),
});

/** ONNX Runtime takes an int. */
const MOST_THREADS = 2 ** 31 - 1;

/**
 * Rewrites of ONNX Runtime that look through all nodes, twice, and find nothing: for quantized models, for convolutional networks, and for
 * models that spell attention, norms and activations in elementary operators. Graphs come here fused. On the CPU none of these changed a
 * graph of any test; together they took 0.7 s of the session of a LoRA step of SmolLM2-135M, 10,434 nodes
 * (docs/decisions/0014-job-start.md).
 */
const WITHOUT_EFFECT = [
  ...[
    'DoubleQDQPairsRemover',
    'QDQSelectorActionTransformer',
    'QDQPropagationTransformer',
    'QDQS8ToU8Transformer',
    'QDQFinalCleanupTransformer',
  ],
  ...['WhereDummyDq', 'WeightBiasQuantization', 'DynamicQuantizeMatMulFusion', 'MatMulIntegerToFloatFusion'],
  ...['NhwcTransformer', 'NchwcTransformer', 'ConvActivationFusion', 'ConvAddActivationFusion', 'SliceConcatToSpaceToDepthFusion'],
  ...['AttentionFusion', 'GroupQueryAttentionFusion', 'GroupQueryAttentionPreNormFusion', 'EmbedLayerNormFusion', 'BiasDropoutFusion'],
  ...['SimplifiedLayerNormFusion', 'LayerNormFusionL1', 'LayerNormFusionL2', 'SkipLayerNormFusion', 'BiasSkipLayerNormFusion'],
  ...[
    'GeluFusionL1',
    'GeluFusionL2',
    'FastGeluFusion',
    'QuickGeluFusion',
    'BiasSoftmaxFusion',
    'GemmActivationFusion',
    'MatMulActivationFusion',
  ],
  ...['MatMulAddFusion', 'MatMulScaleFusion', 'GatherToSliceFusion'],
];

const flag = (on: boolean): string => (on ? '1' : '0');

/** To ONNX Runtime 0 is every core there is, and so is what is negative: another number on another machine. */
export const requireThreads = (threads: number): void => {
  if (!Number.isInteger(threads) || threads < 1 || threads > MOST_THREADS)
    throw new RangeError(`threads = ${threads}: it is a whole number from 1`);
};

/**
 * Measured choices, besides these entries: the memory pattern nearly doubles the memory of activations, so it is off; without the
 * arena a step takes four times as long.
 */
export const resolveSettings = (
  { provider = 'cpu', threads = 1, spinning = false, prepacking = true, profile }: SessionSettings,
  { optimized = false, saveTo }: ModelStage = {},
): ResolvedSettings => {
  requireThreads(threads);
  return {
    provider,
    threads,
    profile: profile ?? null,
    optimization: optimized ? 'none' : 'all',
    saveTo: saveTo?.model ?? null,
    entries: {
      'session.use_device_allocator_for_initializers': '1',
      'session.disable_prepacking': flag(!prepacking),
      'session.intra_op.allow_spinning': flag(spinning),
      ...(provider === 'cpu' && { 'optimization.disable_specified_optimizers': WITHOUT_EFFECT.join(';') }),
      ...(saveTo && savedWeights(saveTo.weights, prepacking)),
    },
  };
};
