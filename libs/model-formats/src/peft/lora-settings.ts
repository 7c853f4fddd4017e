/** What of PEFT's LoraConfig decides the computation: y = W x + scaling B A dropout(x). The later settings are PEFT's, by its names; left out, null or empty they change nothing. */
export interface LoraSettings {
  rank: number;
  /** scaling = alpha / rank */
  alpha: number;
  /** share of x's elements set to zero in training, in [0, 1) */
  dropout: number;
  /** Every linear but the head; last parts of the adapted modules' names (`q_proj`); or a regular expression over their whole names. */
  targets: readonly string[] | string;
  /** Ranks of modules whose name ends with a part that the regular expression matches; the first that matches counts. */
  rank_pattern?: Readonly<Record<string, number>>;
  /** likewise, alphas */
  alpha_pattern?: Readonly<Record<string, number>>;
  /** Rank-stabilized (Kalajdzievski, arXiv 2312.03732): scaling = alpha / sqrt(rank). */
  use_rslora?: boolean;
  /** Only these layers, from 0. */
  layers_to_transform?: readonly number[] | null;
  /** Names of the lists that layers stand in (`layers`), where a model has several. */
  layers_pattern?: readonly string[] | null;
  /** Modules left alone although `targets` names them: as `targets`. */
  exclude_modules?: readonly string[] | string | null;
  /** Modules that are trained whole and stored beside the factors: ends of names (`lm_head`, `embed_tokens`). */
  modules_to_save?: readonly string[] | null;
}

/** The settings with every key, so that two of them can be compared. */
export function wholeLoraSettings(settings: LoraSettings): Required<LoraSettings> {
  const { rank, alpha, dropout, targets } = settings;
  const orNull = <T extends { length: number }>(list: T | null | undefined): T | null => (list && list.length > 0 ? list : null);
  return {
    rank,
    alpha,
    dropout,
    targets,
    rank_pattern: settings.rank_pattern ?? {},
    alpha_pattern: settings.alpha_pattern ?? {},
    use_rslora: settings.use_rslora ?? false,
    layers_to_transform: orNull(settings.layers_to_transform),
    layers_pattern: orNull(settings.layers_pattern),
    exclude_modules: orNull(settings.exclude_modules),
    modules_to_save: orNull(settings.modules_to_save),
  };
}
