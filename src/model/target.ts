// Where one attempt of an exchange goes: a provider, its model and its key, resolved from configuration once at start.
import { type JsonObject } from './json.js'

export type Target = {
  /** Provider name of the configuration; the label in metrics, log and `x-sluice-target`. */
  readonly provider: string
  /** The protocol folder whose dialect speaks to it, such as `openai-chat`. */
  readonly protocol: string
  /** The upstream's model name. */
  readonly model: string
  readonly quirks: Quirks
  /** Whether its model thinks; absent if unknown. */
  readonly thinks?: boolean
  /** Size of its model's context; absent where it is unknown. */
  readonly contextTokens?: number
  /** The most output tokens of one answer of its model; absent where the configuration does not say it. */
  readonly maxOutputTokens?: number
  /** Provider-specific fields set on every request, from the provider's or model's configuration. */
  readonly extraBody: JsonObject
}

/** The closed set of what a vendor may do differently on a known wire. Each profile sets only what differs. */
export type Quirks = {
  /** Name of the output cap: newer OpenAI models reject `max_tokens`, most others know nothing else. */
  readonly maxTokensField: 'max_tokens' | 'max_completion_tokens'
  /** Accepts `stream_options.include_usage`; without it usage is estimated. */
  readonly streamOptions: boolean
  /** Accepts the role `developer`; otherwise it is sent as `system`. */
  readonly developerRole: boolean
  /** Accepts images and documents by URL; otherwise only their bytes. */
  readonly imageUrls: boolean
  /** Accepts PDF documents. */
  readonly documents: boolean
  /**
   * How JSON-schema output is requested: `tool` makes the model call a tool with the schema, `json-object` falls back to plain
   * JSON mode, `none` only adds an instruction. A wire without such a tool treats `tool` as `json-object`.
   */
  readonly jsonSchema: 'json-schema' | 'tool' | 'json-object' | 'none'
  /** Request field that turns reasoning on: OpenAI `reasoning_effort`, OpenRouter `reasoning`, none. */
  readonly reasoningRequest: 'reasoning_effort' | 'reasoning' | 'none'
  /** Delta field that carries reasoning text: DeepSeek, xAI, vLLM `reasoning_content`; OpenRouter, Groq, Ollama `reasoning`. */
  readonly reasoningField: 'reasoning_content' | 'reasoning'
  /** Top-level request fields this vendor rejects; they are left out and named in `x-sluice-dropped`. */
  readonly refusedFields: readonly string[]
  /** The stream must end with `data: [DONE]`; a few servers end with only the finish reason. */
  readonly doneMarker: boolean
  /** The highest `temperature` that the vendor accepts; higher ones are clamped. */
  readonly maxTemperature: number
  /** Default output cap if the wire requires one and the client sent none (Anthropic `max_tokens`). */
  readonly defaultMaxTokens: number
  /** The model goes into the path as a deployment and `api-version` into the query. */
  readonly deploymentApiVersion: string | null
  /** The model goes into the path, `models/{model}:rawPredict`, and this version into the body. */
  readonly rawPredictVersion: string | null
}

/** A target as people read it, in headers and the log. A request that names no model has none. */
export function targetName(provider: string, model: string): string {
  return model === '' ? provider : `${provider}/${model}`
}
