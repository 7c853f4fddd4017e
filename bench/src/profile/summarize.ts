import type { ProfiledNode } from '@tunefleet/tensor';

export interface ProfileLine {
  name: string;
  /** milliseconds a run */
  ms: number;
  /** of all kernels' time */
  share: number;
  /** executions a run */
  calls: number;
}

/** `backward/layers.7/mlp/matmul.1234/FusedMatMul.99` is a line of all layers together: `backward/layers/mlp matmul`. */
export function lineOfModel({ node, operator }: ProfiledNode): string {
  const parts = node.split('/');
  const primitive = /^(\w+)\.\d+$/.exec(parts.at(-2) ?? '')?.[1];
  if (primitive === undefined) return `(of ONNX Runtime) ${operator}`;
  const scope = parts.slice(0, -2).map((part) => part.replace(/^layers\.\d+$/, 'layers'));
  return `${scope.join('/') || '(top)'} ${primitive}`;
}

/** Kernel time summed by a key, largest first. */
export function summarize(nodes: readonly ProfiledNode[], runs: number, key: (node: ProfiledNode) => string): ProfileLine[] {
  const sums = new Map<string, { time: number; calls: number }>();
  for (const node of nodes) {
    const sum = sums.get(key(node)) ?? { time: 0, calls: 0 };
    sums.set(key(node), { time: sum.time + node.duration, calls: sum.calls + 1 });
  }
  const total = nodes.reduce((sum, { duration }) => sum + duration, 0);
  return [...sums]
    .map(([name, { time, calls }]) => ({ name, ms: time / 1000 / runs, share: time / total, calls: calls / runs }))
    .sort((a, b) => b.ms - a.ms);
}
