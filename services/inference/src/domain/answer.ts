import { randomInt } from 'node:crypto';
import { ApiError, type Usage } from '@tunefleet/contracts';
import type { Lease } from './models.js';
import { StopStrings } from './stop-strings.js';

export interface Sampling {
  maxTokens: number | null;
  temperature: number;
  topP: number;
  seed: number | null;
  stop: readonly string[];
}

/** One answer as it is made: pieces of text, then how it ended. */
export interface Answer {
  pieces: AsyncIterable<string>;
  /** Valid once the pieces have ended. */
  finishReason(): 'stop' | 'length';
  usage(): Usage;
}

/** Where nobody says how long an answer may be. */
const DEFAULT_MAX_TOKENS = 1024;

/** Seeds of the wire may be negative; the generator counts from 0 to 2^31. */
const unsigned = (seed: number): number => ((seed % 2 ** 31) + 2 ** 31) % 2 ** 31;

/** Draw an answer from a model. Greedy at temperature 0; else the same seed gives the same text. Errors: `context_length_exceeded`. */
export function answer(lease: Lease, ids: readonly number[], sampling: Sampling, signal: AbortSignal): Answer {
  const { generator, tokenizer, adapter, resolved } = lease;
  if (ids.length >= resolved.context) {
    throw new ApiError(
      'context_length_exceeded',
      `This model reads up to ${resolved.context} tokens and the prompt has ${ids.length}. Shorten it.`,
      { param: 'messages' },
    );
  }
  const stopIds = new Set(generator.config.eosTokenIds);
  if (tokenizer.specialTokens.eos) stopIds.add(tokenizer.specialTokens.eos.id);
  const generation = generator.generate({
    ids: [...ids],
    max_tokens: sampling.maxTokens ?? DEFAULT_MAX_TOKENS,
    temperature: sampling.temperature,
    top_p: sampling.topP,
    seed: sampling.seed === null ? randomInt(2 ** 31) : unsigned(sampling.seed),
    stop_ids: [...stopIds],
    signal,
    adapter,
  });
  const stops = new StopStrings(sampling.stop);
  let made = 0;
  const pieces = async function* (): AsyncGenerator<string> {
    const text = tokenizer.stream({ context: ids.slice(-4) });
    for await (const id of generation) {
      made += 1;
      const piece = stops.push(await text.push(id));
      if (piece !== '') yield piece;
      if (stops.stopped) return;
    }
    const rest = stops.push(await text.end()) + stops.end();
    if (rest !== '') yield rest;
  };
  return {
    pieces: pieces(),
    finishReason: () => (stops.stopped ? 'stop' : (generation.finish_reason ?? 'stop')),
    usage: () => ({ prompt_tokens: ids.length, completion_tokens: made, total_tokens: ids.length + made }),
  };
}

export async function wholeText({ pieces }: Answer): Promise<string> {
  let text = '';
  for await (const piece of pieces) text += piece;
  return text;
}
