// The vendor's types of POST /api/chat, named as the vendor names them; only the members this dialect writes or reads.
// Source: https://docs.ollama.com/api/chat and the server's own api/types.go (ollama/ollama, August 2026).
import { type JsonObject } from '../../model/json.js'

export type ChatRequest = {
  model: string
  messages: Message[]
  /** The default is true, so it is always sent. */
  stream: boolean
  tools?: Tool[]
  /** `json`, or a JSON Schema. */
  format?: 'json' | JsonObject
  think?: boolean | 'low' | 'medium' | 'high'
  options?: Options | JsonObject
  keep_alive?: string | number
}

export type Message = {
  role: 'system' | 'user' | 'assistant' | 'tool'
  content: string
  thinking?: string
  /** Base64 without a data URL's prefix; the server accepts no URLs. */
  images?: string[]
  tool_calls?: ToolCall[]
  tool_name?: string
  tool_call_id?: string
}

export type ToolCall = { id?: string; function: { name: string; arguments: JsonObject } }

export type Tool = {
  type: 'function'
  function: { name: string; description?: string; parameters: JsonObject }
}

export type Options = {
  temperature?: number
  top_p?: number
  top_k?: number
  num_predict?: number
  stop?: string[]
  seed?: number
  frequency_penalty?: number
  presence_penalty?: number
  repeat_penalty?: number
  typical_p?: number
}
