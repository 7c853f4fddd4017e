import { checkGraph } from '../graph/checker.js';
import type { Graph } from '../graph/value.js';
import type { Provider } from '../provider.js';
import { chain } from './chain.js';
import { fuse } from './fuse.js';
import { halve, type Precision } from './halve.js';
import { join } from './join.js';
import { legalize } from './legalize.js';
import { mergeScatters } from './scatter.js';
import { sinkReshapes } from './sink-reshapes.js';
import { sliceFrozen } from './slice-frozen.js';
import { spread } from './spread.js';

/** The passes between a graph as it was built and the one that is written as ONNX, in order. */
const PASSES: readonly { readonly name: string; readonly run: (graph: Graph, provider: Provider, precision: Precision) => Graph }[] = [
  { name: 'slice-frozen', run: sliceFrozen },
  { name: 'join', run: join },
  { name: 'scatter', run: mergeScatters },
  { name: 'spread', run: spread },
  { name: 'fuse', run: fuse },
  { name: 'halve', run: (graph, _provider, precision) => (precision === 'float16' ? halve(graph) : graph) },
  { name: 'legalize', run: legalize },
  { name: 'sink-reshapes', run: sinkReshapes },
  { name: 'chain', run: chain },
];

/** Runs every pass and checks what each leaves; `after` sees each result, to print it for example. */
export const lower = (
  graph: Graph,
  provider: Provider,
  after?: (pass: string, graph: Graph) => void,
  precision: Precision = 'float32',
): Graph => {
  let current = checkGraph(graph, 'building');
  after?.('building', current);
  for (const { name, run } of PASSES) {
    current = checkGraph(run(current, provider, precision), name);
    after?.(name, current);
  }
  return current;
};
