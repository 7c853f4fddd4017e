import { medianBy } from './median.js';
import { type Measured, runSide } from './side.js';

/** One side of a comparison: what starts its process. Its last line of stdout is a `Measured` as JSON. */
export interface Side {
  command: string;
  args: readonly string[];
  env?: NodeJS.ProcessEnv;
}

export interface Comparison {
  bench: string;
  variant: string;
  unit: string;
  ours: Side;
  /** null: the peer could not be built, or was not asked for */
  peer: (Side & { name: string }) | null;
  /** alternating runs of each side; the medians are compared */
  rounds: number;
}

/** The row of interface.md: `ratio` above 1 means ours is faster, `rss_ratio` is ours / peer. Further figures of our side stay in `ours`. */
export interface ComparisonRow {
  bench: string;
  variant: string;
  unit: string;
  ours: Measured;
  peer: (Measured & { name: string }) | null;
  ratio: number | null;
  rss_ratio: number | null;
}

const medianRun = (runs: readonly Measured[]): Measured => medianBy(runs, ({ value }) => value);

/** Runs both sides, alternating, one process a side at a time. `higher`: whether a larger value is better (tokens/s, not seconds). */
export async function compare({ bench, variant, unit, ours, peer, rounds }: Comparison, higher = true): Promise<ComparisonRow> {
  const own: Measured[] = [];
  const peers: Measured[] = [];
  for (let round = 0; round < rounds; round++) {
    own.push(await runSide(ours.command, [...ours.args], ours.env));
    if (peer) peers.push(await runSide(peer.command, [...peer.args], peer.env));
  }
  const mine = medianRun(own);
  const theirs = peer ? { name: peer.name, ...medianRun(peers) } : null;
  const ratio = theirs && (higher ? mine.value / theirs.value : theirs.value / mine.value);
  return { bench, variant, unit, ours: mine, peer: theirs, ratio, rss_ratio: theirs && mine.peak_rss_mb / theirs.peak_rss_mb };
}

/** One JSON object a line with `--json`; else indented, the first line beginning with the benchmark's name. */
export function printRow(row: object & { bench: string }, json: boolean): void {
  process.stdout.write(json ? `${JSON.stringify(row)}\n` : `${JSON.stringify(row, null, 2).replace(/^\{/, `${row.bench} {`)}\n`);
}
