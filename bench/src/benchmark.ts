export interface Options {
  json: boolean;
  oursOnly: boolean;
  /** what stands after the benchmark's name, not beginning with `--` */
  arguments: string[];
  /** the benchmark's own options: `--tokens 256` is `{tokens: '256'}`, a flag is `{lean: true}` */
  own: Record<string, string | boolean>;
}

export interface Benchmark {
  name: string;
  about: string;
  /** options of its own, as node:util's parseArgs takes them */
  options: Readonly<Record<string, { readonly type: 'boolean' | 'string' }>>;
  run(options: Options): Promise<void>;
}

/** The benchmark cannot run here, for want of data named in the message: exit code 3. */
export class DataAbsentError extends Error {}
