/** A message as the OpenAI API has it; what a template reads of it is the template's choice. */
export interface TemplateMessage {
  role: string;
  content?: string | null;
  name?: string;
  tool_calls?: readonly { id?: string; type?: string; function: { name: string; arguments: string } }[];
  tool_call_id?: string;
  /** Read by training, not shown to the template. */
  weight?: 0 | 1;
}

/**
 * Messages as templates expect them: `developer` is `system` (templates know no other word for it), absent content is null, and the arguments of
 * tool calls are objects, or text where `argumentsAsText`.
 */
export function templateMessages(messages: readonly TemplateMessage[], argumentsAsText: boolean): Record<string, unknown>[] {
  return messages.map((message) => {
    const shown: Record<string, unknown> = {
      role: message.role === 'developer' ? 'system' : message.role,
      content: message.content ?? null,
    };
    if (message.name !== undefined) shown['name'] = message.name;
    if (message.tool_call_id !== undefined) shown['tool_call_id'] = message.tool_call_id;
    if (message.tool_calls) {
      shown['tool_calls'] = message.tool_calls.map((call) => ({
        ...call,
        function: { ...call.function, arguments: argumentsAsText ? call.function.arguments : parsed(call.function.arguments) },
      }));
    }
    return shown;
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
