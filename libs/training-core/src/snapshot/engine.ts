import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';

/** Version of the ONNX Runtime that tensor runs on. */
export function engineVersion(): string {
  const require = createRequire(import.meta.resolve('@tunefleet/tensor'));
  return (require('onnxruntime-node/package.json') as { version: string }).version;
}

/** The instruction set that ONNX Runtime's CPU kernels are chosen by: other sets add in other orders. */
export function kernelClass(): string {
  const flags = process.platform === 'linux' ? cpuFlags() : [];
  const found = ['avx512f', 'avx2', 'avx', 'asimd'].find((flag) => flags.includes(flag));
  return found ?? `${process.arch}/${cpus()[0]?.model ?? 'unknown'}`;
}

function cpuFlags(): string[] {
  const info = readFileSync('/proc/cpuinfo', 'utf8');
  return /^(?:flags|Features)\s*:\s*(.*)$/m.exec(info)?.[1]?.split(' ') ?? [];
}
