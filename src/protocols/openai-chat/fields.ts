// The top-level request fields of the chat completions API, as lists that the decoder, the encoder and the editor
// share.

/** Fields with a canonical form; everything else is an extension. */
export const CANONICAL_FIELDS: ReadonlySet<string> = new Set([
  'model',
  'messages',
  'stream',
  'stream_options',
  'tools',
  'functions',
  'tool_choice',
  'function_call',
  'parallel_tool_calls',
  'response_format',
  'reasoning_effort',
  'reasoning',
  'temperature',
  'top_p',
  'top_k',
  'max_tokens',
  'max_completion_tokens',
  'frequency_penalty',
  'presence_penalty',
  'seed',
  'stop',
  'user',
  'provider',
])

/** Values of `service_tier` on this API. */
export const SERVICE_TIERS: readonly unknown[] = Object.freeze(['auto', 'default', 'flex', 'scale', 'priority'])

/**
 * Those that only the vendor itself knows. Agents on its newer API send some of them with every request, and servers that are strict
 * about unknown fields (Groq 400, Mistral 422) would reject them all.
 */
export const VENDOR_EXTENSIONS: ReadonlySet<string> = new Set([
  'prompt_cache_key',
  'prompt_cache_options',
  'prompt_cache_retention',
  'safety_identifier',
  'verbosity',
])

/**
 * Extensions that are this API's own fields (openai-node 6.49, ChatCompletionCreateParams) and so are carried to
 * its upstreams.
 */
export const CARRIED_EXTENSIONS: ReadonlySet<string> = new Set([
  'audio',
  'logit_bias',
  'logprobs',
  'metadata',
  'modalities',
  'moderation',
  'n',
  'prediction',
  'prompt_cache_key',
  'prompt_cache_options',
  'prompt_cache_retention',
  'reasoning_effort',
  'response_format',
  'safety_identifier',
  'service_tier',
  'store',
  'stream_options',
  'tool_choice',
  'top_logprobs',
  'verbosity',
  'web_search_options',
])
