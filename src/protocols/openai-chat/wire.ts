// The types of the chat completions wire, named as the vendor names them. Types only; snake_case ends at this folder.
// See https://platform.openai.com/docs/api-reference/chat. `type`, not `interface`, so that each is also a JsonObject.
import { type JsonObject, type JsonValue } from '../../model/json.js'

export type WireContentPart =
  | { type: 'text'; text: string }
  | { type: 'image_url'; image_url: { url: string; detail?: 'auto' | 'low' | 'high' } }
  | { type: 'file'; file: { filename: string; file_data: string } | { file_id: string } }

export type WireToolCall = {
  id: string
  type: 'function'
  function: { name: string; arguments: string }
  extra_content?: WireExtraContent
}

/** Not in OpenAI's document: Google's API on this wire has the signature here (ai.google.dev, thought signatures). */
export type WireExtraContent = { google: { thought_signature: string } }

export type WireMessage =
  | { role: 'system' | 'developer' | 'user'; content: string | WireContentPart[] }
  | { role: 'tool'; tool_call_id: string; content: string | WireContentPart[] }
  | WireAssistantMessage

export type WireAssistantMessage = {
  role: 'assistant'
  content: string | WireContentPart[] | null
  /** DeepSeek, xAI, vLLM; not in OpenAI's own document. */
  reasoning_content?: string
  /** OpenRouter, Groq, Ollama. */
  reasoning?: string
  refusal?: string | null
  annotations?: WireAnnotation[]
  /** Not in OpenAI's own document: see images.ts. */
  images?: JsonObject[]
  tool_calls?: WireToolCall[]
}

/** `url_citation`: see ../url-citation.ts. */
export type WireAnnotation = { type: 'url_citation'; url_citation: JsonObject }

export type WireTool = {
  type: 'function'
  function: { name: string; description?: string; parameters?: JsonObject; strict?: boolean }
}

export type WireToolChoice = 'auto' | 'none' | 'required' | { type: 'function'; function: { name: string } }

export type WireResponseFormat =
  | { type: 'text' }
  | { type: 'json_object' }
  | {
      type: 'json_schema'
      json_schema: { name: string; description?: string; schema?: JsonValue; strict?: boolean }
    }

export type WireFinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter'

/** Tokens that are no text. */
type WireModalities = { audio_tokens?: number; image_tokens?: number }

export type WireUsage = {
  prompt_tokens: number
  completion_tokens: number
  total_tokens: number
  prompt_tokens_details: { cached_tokens: number; cache_write_tokens?: number } & WireModalities
  completion_tokens_details: { reasoning_tokens: number } & WireModalities
}

export type WireResponse = {
  id: string
  object: 'chat.completion'
  created: number
  model: string
  choices: {
    index: number
    message: WireAssistantMessage
    logprobs: null
    finish_reason: WireFinishReason
  }[]
  usage?: WireUsage
}
