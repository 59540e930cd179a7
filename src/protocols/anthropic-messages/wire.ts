// The Anthropic Messages API as the vendor's reference names it (platform.claude.com/docs/en/api/messages, read 2026-11).
// Types only, for the members that this folder reads or writes; everything else passes as bytes.
import { type JsonObject, type JsonValue } from '../../model/json.js'

/** Body of POST /v1/messages, as schema.ts has checked it. */
export type MessagesRequest = {
  model: string
  max_tokens: number
  messages: MessageParam[]
  system?: string | TextBlockParam[] | null
  tools?: ToolParam[] | null
  tool_choice?: ToolChoiceParam | null
  thinking?: ThinkingConfig | null
  output_config?: OutputConfig | null
  /** The beta's older name for `output_config.format`. */
  output_format?: OutputFormat | null
  metadata?: { user_id?: string | null } | null
  stop_sequences?: string[] | null
  temperature?: number | null
  top_p?: number | null
  top_k?: number | null
  stream?: boolean | null
}

/** `system` turns are the vendor's mid-conversation instructions. */
export type MessageParam = { role: 'user' | 'assistant' | 'system'; content: string | BlockParam[] }

export type TextBlockParam = {
  type: 'text'
  text: string
  cache_control?: JsonObject | null
  citations?: JsonValue[] | null
}
export type ImageBlockParam = { type: 'image'; source: ImageSource }
export type ToolUseBlockParam = { type: 'tool_use'; id: string; name: string; input: JsonObject }
export type ToolResultBlockParam = {
  type: 'tool_result'
  tool_use_id: string
  content?: string | BlockParam[] | null
  is_error?: boolean | null
}
export type ThinkingBlockParam = { type: 'thinking'; thinking: string; signature?: string | null }
export type RedactedThinkingBlockParam = { type: 'redacted_thinking'; data: string }

export type DocumentBlockParam = { type: 'document'; source?: JsonValue; title?: JsonValue; context?: JsonValue }
export type SearchResultBlockParam = {
  type: 'search_result'
  source?: JsonValue
  title?: JsonValue
  content?: JsonValue
}

/** The blocks that are decoded by name. Those of the vendor's own tools have other types. */
export type BlockParam =
  | TextBlockParam
  | ImageBlockParam
  | DocumentBlockParam
  | SearchResultBlockParam
  | ToolUseBlockParam
  | ToolResultBlockParam
  | ThinkingBlockParam
  | RedactedThinkingBlockParam

/** `file` refers to the vendor's Files API. */
export type ImageSource =
  | { type: 'base64'; media_type?: JsonValue; data?: JsonValue }
  | { type: 'url'; url?: JsonValue }
  | { type: 'file'; file_id?: JsonValue }

/** A client tool; the vendor's own have a dated `type` such as `bash_20250124`, and the vendor runs most of them. */
export type ToolParam = {
  type?: string | null
  name: string
  description?: string | null
  input_schema?: JsonObject
  strict?: boolean | null
}

export type ToolChoiceParam = {
  type: 'auto' | 'any' | 'tool' | 'none'
  name?: string
  disable_parallel_tool_use?: boolean | null
}

/** Claude Opus 4.7 and later reject `enabled`, models before 4.6 reject `adaptive`. */
export type ThinkingConfig = { type: string; budget_tokens?: number | null }
export type OutputConfig = { effort?: string | null; format?: OutputFormat | null }
export type OutputFormat = { type: string; schema?: JsonValue }

export type StopReason =
  | 'end_turn'
  | 'max_tokens'
  | 'stop_sequence'
  | 'tool_use'
  | 'pause_turn'
  | 'refusal'
  | 'model_context_window_exceeded'

/** Of `stop_details`, which comes with the stop reason `refusal`. */
export type RefusalCategory = 'cyber' | 'bio' | 'frontier_llm' | 'reasoning_extraction' | 'general_harms'

/** Types of `error.type`. `request_too_large` comes with 413 and is missing from the vendor's SDK, not from its page. */
export type WireErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'billing_error'
  | 'permission_error'
  | 'not_found_error'
  | 'conflict_error'
  | 'request_too_large'
  | 'rate_limit_error'
  | 'timeout_error'
  | 'api_error'
  | 'overloaded_error'
