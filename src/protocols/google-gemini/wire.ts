// The vendor's types of generateContent, named as the vendor names them; only the members this dialect writes or reads.
// Source: https://ai.google.dev/api/generate-content and the types of the vendor's own SDK (googleapis/js-genai, August 2026).
import { type JsonObject, type JsonValue } from '../../model/json.js'

/** POST /models/{model}:generateContent and :streamGenerateContent?alt=sse. */
export type GenerateContentRequest = {
  contents: Content[]
  systemInstruction?: { parts: Part[] }
  tools?: Tool[]
  toolConfig?: { functionCallingConfig: FunctionCallingConfig }
  generationConfig?: GenerationConfig
}

export type Content = { role: 'user' | 'model'; parts: Part[] }

/** One of text, inlineData, fileData, functionCall and functionResponse; the signature goes with any of them. */
export type Part = {
  text?: string
  thought?: boolean
  thoughtSignature?: string
  inlineData?: { mimeType: string; data: string }
  fileData?: { mimeType?: string; fileUri: string }
  functionCall?: { id?: string; name: string; args: JsonObject }
  functionResponse?: { id?: string; name: string; response: JsonObject }
}

export type Tool = { functionDeclarations: FunctionDeclaration[] }

/** `parametersJsonSchema` accepts JSON Schema; `parameters` would require the older OpenAPI subset. */
export type FunctionDeclaration = { name: string; description?: string; parametersJsonSchema?: JsonObject }

export type FunctionCallingConfig = { mode: 'AUTO' | 'ANY' | 'NONE'; allowedFunctionNames?: string[] }

export type GenerationConfig = {
  temperature?: number
  topP?: number
  topK?: number
  maxOutputTokens?: number
  stopSequences?: string[]
  seed?: number
  presencePenalty?: number
  frequencyPenalty?: number
  responseMimeType?: 'application/json'
  responseJsonSchema?: JsonValue
  thinkingConfig?: { includeThoughts?: boolean; thinkingBudget?: number }
}

/** google.rpc.Code names that matter to the caller; each implies an HTTP status. */
export type RpcStatus =
  | 'INVALID_ARGUMENT'
  | 'FAILED_PRECONDITION'
  | 'UNAUTHENTICATED'
  | 'PERMISSION_DENIED'
  | 'NOT_FOUND'
  | 'RESOURCE_EXHAUSTED'
  | 'CANCELLED'
  | 'INTERNAL'
  | 'UNAVAILABLE'
  | 'DEADLINE_EXCEEDED'
