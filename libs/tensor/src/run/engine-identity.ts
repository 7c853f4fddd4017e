import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Provider } from '../provider.js';
import { env } from './onnxruntime.js';

/** Which of ONNX Runtime's CPU kernels (MLAS) this machine gets: their rounding differs. */
export type CpuKernelClass = 'avx512' | 'avx2' | 'avx' | 'sse' | 'neon';

/** What decides the bytes of a result besides graph and data. */
export interface EngineIdentity {
  /** "onnxruntime-node 1.30.0 linux-x64" */
  readonly engine: string;
  readonly cpuKernelClass: CpuKernelClass;
  readonly threads: number;
  /** Absent: the CPU. */
  readonly provider?: Provider;
}

const x64Features = (): ReadonlySet<string> => {
  if (process.platform === 'linux') {
    const flags = /^flags\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? '';
    return new Set(flags.split(' '));
  }
  if (process.platform === 'darwin') {
    const names = execFileSync('sysctl', ['-n', 'machdep.cpu.features', 'machdep.cpu.leaf7_features'], { encoding: 'utf8' });
    return new Set(names.toLowerCase().split(/\s+/));
  }
  // Windows tells no flags without native code: every x64 machine it runs on since 2015 has AVX2.
  return new Set(['avx', 'avx2', 'fma']);
};

/** As MLAS chooses (platform.cpp): AVX-512 needs F, BW, DQ and VL; AVX2 needs FMA. */
export const kernelClassOf = (has: ReadonlySet<string>): CpuKernelClass => {
  if (['avx512f', 'avx512bw', 'avx512dq', 'avx512vl'].every((flag) => has.has(flag))) return 'avx512';
  if (has.has('avx2') && has.has('fma')) return 'avx2';
  return has.has('avx') ? 'avx' : 'sse';
};

const cpuKernelClass = (): CpuKernelClass => (process.arch === 'arm64' ? 'neon' : kernelClassOf(x64Features()));

/** For lineage and snapshots: results of equal identities may be compared byte by byte. */
export const engineIdentity = (threads: number, provider: Provider = 'cpu'): EngineIdentity => ({
  engine: `onnxruntime-node ${env.versions.node} ${process.platform}-${process.arch}`,
  cpuKernelClass: cpuKernelClass(),
  threads,
  ...(provider === 'cpu' ? {} : { provider }),
});
