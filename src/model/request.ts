// The canonical chat request: where every surface's decoder meets every dialect's encoder. Plain JSON, no class, no bytes.
// Absent is `null` (or an empty list), never `undefined`, so that inline and worker give deep-equal results.
import { type Citation } from './citation.js'
import { type JsonObject, type JsonValue } from './json.js'

export type ChatRequest = {
  /** The model name exactly as the client wrote it. */
  readonly model: string
  readonly stream: boolean
  /** The client requested usage in the stream (OpenAI `stream_options.include_usage`; always true for Anthropic). */
  readonly includeUsage: boolean
  /** System and developer text in order; some protocols carry it apart from the turns. */
  readonly system: readonly TextPart[]
  readonly messages: readonly Message[]
  readonly tools: readonly ToolDefinition[]
  readonly toolChoice: ToolChoice | null
  readonly parallelToolCalls: boolean | null
  readonly responseFormat: ResponseFormat | null
  readonly reasoning: ReasoningRequest | null
  readonly sampling: Sampling
  /** End-user id, for the provider's abuse tracking. */
  readonly user: string | null
  /** Top-level fields the surface does not know. A dialect that cannot carry one names it in `dropped`. */
  readonly extensions: JsonObject
}

export type Sampling = {
  readonly temperature: number | null
  readonly topP: number | null
  readonly topK: number | null
  readonly maxOutputTokens: number | null
  readonly frequencyPenalty: number | null
  readonly presencePenalty: number | null
  readonly seed: number | null
  readonly stop: readonly string[]
}

/** Nothing requested: the provider's own defaults apply. */
export const NO_SAMPLING: Sampling = Object.freeze({
  temperature: null,
  topP: null,
  topK: null,
  maxOutputTokens: null,
  frequencyPenalty: null,
  presencePenalty: null,
  seed: null,
  stop: Object.freeze([]) as readonly string[],
})

/** Turns of user, assistant and tool; consecutive ones of one role are allowed here, dialects merge where a vendor forbids it. */
export type Message =
  | { readonly role: 'user'; readonly content: readonly UserPart[] }
  | { readonly role: 'assistant'; readonly content: readonly AssistantPart[] }
  | { readonly role: 'tool'; readonly content: readonly ToolResultPart[] }

export type UserPart = TextPart | MediaPart | FilePart | ForeignPart
/** Content whose bytes or URL a target may not accept. */
export type MediaPart = ImagePart | DocumentPart
export type AssistantPart = TextPart | RefusalPart | ReasoningPart | ToolCallPart | MadeImagePart
export type TextPart = {
  readonly type: 'text'
  readonly text: string
  /** The client marked a prompt-cache breakpoint here (Anthropic `cache_control`); dialects without it leave it out. */
  readonly cacheBreakpoint?: true
  /** The sources that a model names for it, in an answer; absent for none. */
  readonly citations?: readonly Citation[]
}

/** Either base64 bytes with their media type, or a URL that the provider fetches. */
export type MediaSource =
  | { readonly kind: 'base64'; readonly mediaType: string; readonly base64: string }
  | { readonly kind: 'url'; readonly url: string }

export type ImagePart = {
  readonly type: 'image'
  readonly source: MediaSource
  /** OpenAI `detail`. */
  readonly detail: 'auto' | 'low' | 'high' | null
  /** Dotted path of the content in the client's body, for a refusal. */
  readonly path: string
}

/** A document that the model itself reads, such as a PDF. Text documents are text parts. */
export type DocumentPart = {
  readonly type: 'document'
  readonly source: MediaSource
  /** Title or file name. */
  readonly name: string | null
  readonly path: string
}

/** A file that is stored at a provider, whose protocol names it so: no other one can read it. */
export type FilePart = {
  readonly type: 'file'
  /** The protocol. */
  readonly wire: string
  readonly id: string
  /** Null if the protocol does not tell it. */
  readonly mediaType: string | null
  readonly path: string
}

/** Content that has no canonical form, such as audio: no other protocol carries it. */
export type ForeignPart = {
  readonly type: 'foreign'
  /** The client's name for it, such as `input_audio`. */
  readonly kind: string
  readonly path: string
}

/** What the model said in place of an answer. */
export type RefusalPart = { readonly type: 'refusal'; readonly text: string }

/** An image that the model has made. */
export type MadeImagePart = { readonly type: 'made-image'; readonly source: MediaSource }

/** A thinking block of an earlier turn. `redacted` holds Anthropic's encrypted form; then `text` is empty. */
export type ReasoningPart = {
  readonly type: 'reasoning'
  readonly text: string
  readonly signature: string | null
  readonly redacted: string | null
}

export type ToolCallPart = {
  readonly type: 'tool-call'
  readonly id: string
  readonly name: string
  /** The arguments as the JSON text the model wrote; may be ill-formed, the dialect that needs an object decides. */
  readonly arguments: string
  /** Gemini's thought signature, which must come back with the call. */
  readonly signature: string | null
}

export type ToolResultPart = {
  readonly type: 'tool-result'
  /** The id of the call this answers. */
  readonly callId: string
  /** The tool's name if the surface has it or the decoder found the call; Gemini and Ollama need it. */
  readonly name: string | null
  readonly content: readonly UserPart[]
  readonly isError: boolean
}

export type ToolDefinition = {
  readonly name: string
  readonly description: string | null
  /** JSON Schema of the arguments. */
  readonly parameters: JsonObject
  readonly strict: boolean | null
}

export type ToolChoice =
  | { readonly type: 'auto' }
  | { readonly type: 'none' }
  | { readonly type: 'required' }
  | { readonly type: 'tool'; readonly name: string }

export type ResponseFormat =
  | { readonly type: 'text' }
  | { readonly type: 'json' }
  | {
      readonly type: 'json-schema'
      readonly name: string
      readonly description: string | null
      readonly schema: JsonValue
      readonly strict: boolean | null
    }

/** How much the model may think. Either may be null: dialects derive one from the other by the table in `reasoning.ts`. */
export type ReasoningRequest = {
  readonly effort: ReasoningEffort | null
  readonly budgetTokens: number | null
  /** The model may decide whether it thinks at all (Anthropic `adaptive`): a target must not reject the request because of it. */
  readonly isWish?: true
}
export type ReasoningEffort = 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh'
