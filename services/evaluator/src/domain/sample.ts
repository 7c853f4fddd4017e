import { ApiError, type OutputItem, type RpcReply } from '@tunefleet/contracts';
import { renderTemplate, type TemplateVariables } from '@tunefleet/evaluation';
import type { Bus } from '@tunefleet/messaging';
import type { Row } from '../store/run-objects.js';
import type { RunRecord } from '../store/schemas.js';

type Sample = OutputItem['sample'];
type Message = { role: string; content: string };

/** OpenAI's defaults of a completion. */
const DEFAULTS = { temperature: 1, top_p: 1, seed: 42, max_completion_tokens: 1024 };
const TIMEOUT_MS = 300_000;
const ATTEMPTS = 8;

/** The messages that one row asks the model. Errors: those of templates. */
export function messagesOf(completions: NonNullable<RunRecord['completions']>, item: unknown): Message[] {
  const variables: TemplateVariables = { item };
  const input = completions.input_messages;
  if (input?.type === 'template') {
    return input.template.map(({ role, content }) => ({
      role,
      content: renderTemplate(typeof content === 'string' ? content : content.text, variables),
    }));
  }
  const value: unknown = JSON.parse(renderTemplate(`{{${input?.item_reference ?? ''}}}`, variables));
  const valid =
    Array.isArray(value) && value.every((m: Partial<Message> | null) => typeof m?.role === 'string' && typeof m.content === 'string');
  if (!valid)
    throw new ApiError('invalid_value', 'The item reference is no list of messages with role and content.', {
      param: 'data_source.input_messages.item_reference',
    });
  return value as Message[];
}

/** Away is not wrong: while inference cannot be reached the row waits, for about a minute. */
async function patient(ask: () => Promise<RpcReply<'inference.complete'>>, signal: AbortSignal): Promise<RpcReply<'inference.complete'>> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'service_unavailable' || attempt === ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, Math.min(250 * 2 ** attempt, 15_000)));
    }
  }
}

/** Draw the model's answer to a row. A row that cannot be asked has an `error` in its sample. */
export async function draw(bus: Bus, run: RunRecord, row: Row, signal: AbortSignal): Promise<Sample> {
  const { completions, model, project } = run;
  if (!completions || !model) return given(row);
  const settings = { ...DEFAULTS, ...completions.sampling_params };
  const shown = {
    temperature: settings.temperature,
    top_p: settings.top_p,
    seed: settings.seed,
    max_completion_tokens: settings.max_completion_tokens,
  };
  let input: Message[] = [];
  try {
    input = messagesOf(completions, row.item);
    const messages = input;
    const reply = await patient(
      () =>
        bus.request(
          'inference.complete',
          {
            project,
            model: model.id,
            messages,
            prompt: null,
            max_tokens: shown.max_completion_tokens,
            temperature: shown.temperature,
            top_p: shown.top_p,
            seed: shown.seed,
            stop: [],
          },
          { timeoutMs: TIMEOUT_MS, signal },
        ),
      signal,
    );
    if (reply.weights_sha256 !== model.weights_sha256) {
      throw new ApiError('invalid_state', `The weights of '${model.id}' changed while the run was under way; create the run again.`, {
        param: 'data_source.model',
      });
    }
    const usage = {
      prompt_tokens: reply.prompt_tokens,
      completion_tokens: reply.completion_tokens,
      cached_tokens: 0,
      total_tokens: reply.prompt_tokens + reply.completion_tokens,
    };
    return {
      input,
      output: [{ role: 'assistant', content: reply.text }],
      finish_reason: reply.finish_reason,
      model: model.id,
      usage,
      error: null,
      ...shown,
    };
  } catch (error) {
    if (
      signal.aborted ||
      (error instanceof ApiError && (error.status >= 500 || error.code === 'model_not_found' || error.code === 'invalid_state'))
    )
      throw error;
    return {
      input,
      output: [],
      finish_reason: 'error',
      model: model.id,
      usage: NO_USAGE,
      error: { code: codeOf(error), message: (error as Error).message },
      ...shown,
    };
  }
}

const NO_USAGE = { prompt_tokens: 0, completion_tokens: 0, cached_tokens: 0, total_tokens: 0 };
const codeOf = (error: unknown): string => String((error as { code?: unknown }).code ?? 'invalid_value');

/** `jsonl`: the answer stands in the row itself. */
function given(row: Row): Sample {
  const text = row.sample?.['output_text'];
  const output = typeof text === 'string' ? [{ role: 'assistant', content: text }] : [];
  return { input: [], output, finish_reason: 'stop', model: '', usage: NO_USAGE, error: null, ...DEFAULTS };
}
