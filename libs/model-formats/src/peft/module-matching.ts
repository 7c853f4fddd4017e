// Which modules a LoRA adapter touches and how, as PEFT decides it (`check_target_module_exists`, `get_pattern_key`, `_set_trainable`). Its regular
// expressions are strangers': RE2's run in time linear in the name, whatever they say.

import { RE2JS } from 're2js';
import { ModelFormatError } from '../errors.js';
import { type LoraSettings, wholeLoraSettings } from './lora-settings.js';

/** A setting that no adapter can have. */
export class LoraSettingError extends ModelFormatError {
  constructor(
    readonly setting: keyof LoraSettings,
    message: string,
    options?: ErrorOptions,
  ) {
    super('invalid_config', `\`${setting}\`: ${message}`, options);
    this.name = 'LoraSettingError';
  }
}

/** Characters of one regular expression, and entries of a pattern: far more than any adapter has. */
const MAX_EXPRESSION = 1024;
const MAX_ENTRIES = 1024;

export interface LoraMatcher {
  /** Whether a linear of the blocks, by its name in the base, gets factors. */
  adapts(module: string): boolean;
  rank(module: string): number;
  /** What B A is multiplied by. */
  scaling(module: string): number;
  /** Whether a module is trained whole: it, or one that it is part of, is in `modules_to_save`. */
  saves(module: string): boolean;
}

/** Errors: {@link LoraSettingError} for what is no regular expression of RE2, or no module's name. */
export function loraMatcher(settings: LoraSettings): LoraMatcher {
  const whole = wholeLoraSettings(settings);
  const targeted = named('targets', whole.targets);
  const excluded = whole.exclude_modules === null ? () => false : named('exclude_modules', whole.exclude_modules);
  const inLayers = layerFilter(whole);
  const saved = whole.modules_to_save ?? [];
  for (const name of saved)
    if (!/^[\w.]+$/.test(name)) throw new LoraSettingError('modules_to_save', `'${name}' is not the end of a module's name`);
  const rankOf = byPattern('rank_pattern', whole.rank_pattern, whole.rank);
  const alphaOf = byPattern('alpha_pattern', whole.alpha_pattern, whole.alpha);
  return {
    adapts: (module) => targeted(module) && !excluded(module) && !saved.some((name) => within(module, name)) && inLayers(module),
    rank: rankOf,
    scaling: (module) => alphaOf(module) / (whole.use_rslora ? Math.sqrt(rankOf(module)) : rankOf(module)),
    saves: (module) => ancestors(module).some((part) => saved.some((name) => part.endsWith(name))),
  };
}

/** Whether a module's name is, or ends with, one of a list; or is matched whole by a regular expression. */
function named(setting: keyof LoraSettings, names: readonly string[] | string): (module: string) => boolean {
  if (names === 'all-linear') return () => true;
  if (typeof names === 'string') {
    const expression = compile(setting, names);
    return (module) => expression.matches(module);
  }
  return (module) => names.some((name) => module === name || module.endsWith(`.${name}`));
}

/** `name` as whole parts anywhere in the module's name. */
const within = (module: string, name: string): boolean => `.${module}.`.includes(`.${name}.`);

/** `a.b.c` and what it is part of: `a.b`, `a`. */
function ancestors(module: string): string[] {
  const parts = module.split('.');
  return parts.map((_, index) => parts.slice(0, index + 1).join('.'));
}

function layerFilter({ layers_to_transform: layers, layers_pattern, targets }: Required<LoraSettings>): (module: string) => boolean {
  if (layers === null) {
    if (layers_pattern !== null) throw new LoraSettingError('layers_pattern', 'needs layers_to_transform');
    return () => true;
  }
  if (typeof targets === 'string' && targets !== 'all-linear')
    throw new LoraSettingError(
      'layers_to_transform',
      'cannot be used with a regular expression as targets; name the layers in the expression',
    );
  const places =
    layers_pattern === null
      ? ['.*?\\.[^.]*\\.(\\d+)\\..*'] // the first number between dots
      : layers_pattern.map((pattern) => `(?:.*?\\.)?(?:${pattern})\\.(\\d+)\\..*`);
  const expressions = places.map((place) => compile('layers_pattern', place));
  return (module) => {
    // As in PEFT: a module named in full is adapted whatever its layer.
    if (targets.includes(module)) return true;
    for (const expression of expressions) {
      const found = expression.matcher(module);
      if (found.matches()) return layers.includes(Number(found.group(found.groupCount())));
    }
    return false;
  };
}

function byPattern(setting: keyof LoraSettings, pattern: Readonly<Record<string, number>>, otherwise: number): (module: string) => number {
  const entries = Object.entries(pattern);
  if (entries.length > MAX_ENTRIES) throw new LoraSettingError(setting, `has ${entries.length} entries, ${MAX_ENTRIES} are allowed`);
  const values = entries.map(([key, value]) => ({ expression: compile(setting, `(?:.*\\.)?(?:${key})`), value }));
  return (module) => values.find(({ expression }) => expression.matches(module))?.value ?? otherwise;
}

function compile(setting: keyof LoraSettings, expression: string): RE2JS {
  if (expression.length > MAX_EXPRESSION)
    throw new LoraSettingError(setting, `an expression has ${expression.length} characters, ${MAX_EXPRESSION} are allowed`);
  try {
    return RE2JS.compile(expression);
  } catch (cause) {
    throw new LoraSettingError(setting, `${JSON.stringify(expression)} is no regular expression of RE2: ${(cause as Error).message}`, {
      cause,
    });
  }
}
