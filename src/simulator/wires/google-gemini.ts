// Gemini generateContent as the vendor writes it (API reference "Generating content"; read November 2026): SSE with CRLF
// under `alt=sse`, else one JSON array sent piece by piece. Thoughts are counted separately from candidates.
import { type JsonObject, type JsonValue } from '../../model/json.js'
import { type SimRequest, type SimTool } from '../persona.js'
import {
  numberOf,
  objectOf,
  objectsOf,
  type Refusal,
  type SimAnswer,
  type SimUrl,
  type SimWire,
  stopsOf,
  textOf,
} from './wire.js'

/** Gemini also ends with STOP when it calls functions. */
const FINISH = { stop: 'STOP', 'stop-sequence': 'STOP', length: 'MAX_TOKENS', 'tool-calls': 'STOP' } as const
const STATUS_NAMES: Readonly<Record<number, string>> = Object.freeze({
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
})
const PATH = /^\/v1(?:beta|alpha)?\/models\/([^/]+):(generateContent|streamGenerateContent)$/

export const googleGemini: SimWire = {
  id: 'google-gemini',
  streamContentType: 'text/event-stream',
  paths: ['/v1beta/models/*', '/v1alpha/models/*', '/v1/models/*'],
  listPath: '/v1beta/models',
  requiredHeader: null,
  readRequest,
  readKey: (headers, url) => headers('x-goog-api-key') || (new URLSearchParams(url.query).get('key') ?? ''),
  openStream: (answer) => ({
    open: '',
    steps: steps(answer),
    close: '',
    end: frame(chunk(answer, [{ text: '' }], FINISH[answer.performance.finish])),
  }),
  encodeWhole: (answer) => chunk(answer, wholeParts(answer), FINISH[answer.performance.finish]),
  encodeError,
  encodeErrorFrame: (message) => frame(encodeError(503, message)),
  encodeModelList: (models) =>
    JSON.stringify({
      models: models.map((id) => ({
        name: `models/${id}`,
        version: '001',
        displayName: id,
        inputTokenLimit: 1048576,
        outputTokenLimit: 65536,
        supportedGenerationMethods: ['generateContent', 'countTokens'],
      })),
    }),
  encodeFrame: frame,
  silence: ': \r\n\r\n',
}

function frame(payload: string): string {
  return `data: ${payload}\r\n\r\n`
}

function readRequest(body: JsonObject, url: SimUrl): SimRequest | Refusal {
  const path = PATH.exec(decode(url.path))
  if (path === null) return { status: 404, body: encodeError(404, 'The requested URL was not found on this server.') }
  const contents = objectsOf(body.contents)
  if (contents.length === 0) {
    return { status: 400, body: encodeError(400, '* GenerateContentRequest.contents: contents is not specified\n') }
  }
  const system = textOf(body.systemInstruction ?? body.system_instruction)
  const texts = contents.map((content) => textOf(content.parts))
  const lastUser = contents.findLastIndex((content) => content.role !== 'model')
  const config = objectOf(body.generationConfig)
  const results = objectsOf(contents.at(-1)?.parts).filter((part) => 'functionResponse' in part)
  return {
    model: path[1] ?? '',
    stream: path[2] === 'streamGenerateContent',
    includeUsage: true,
    promptBytes: texts.reduce((sum, text) => sum + Buffer.byteLength(text), Buffer.byteLength(system)),
    lastUserText: texts[lastUser] ?? '',
    toolResults:
      results.length > 0 ? results.map((part) => JSON.stringify(objectOf(part.functionResponse).response ?? {})) : null,
    tools: readTools(body),
    mustCall: objectOf(objectOf(body.toolConfig).functionCallingConfig).mode === 'ANY',
    maxTokens: numberOf(config.maxOutputTokens),
    stop: stopsOf(config.stopSequences),
    schema: readSchema(config),
  }
}

/** A percent sign that is not an escape stays unchanged. */
function decode(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

function readTools(body: JsonObject): readonly SimTool[] {
  const choice = objectOf(objectOf(body.toolConfig).functionCallingConfig)
  if (choice.mode === 'NONE') return []
  const allowed = Array.isArray(choice.allowedFunctionNames) ? choice.allowedFunctionNames : null
  const tools: SimTool[] = []
  for (const tool of objectsOf(body.tools)) {
    for (const declaration of objectsOf(tool.functionDeclarations)) {
      const name = declaration.name
      if (typeof name !== 'string' || (allowed !== null && !allowed.includes(name))) continue
      tools.push({ name, schema: declaration.parametersJsonSchema ?? declaration.parameters ?? {} })
    }
  }
  return tools
}

function readSchema(config: JsonObject): JsonValue | null {
  if (config.responseMimeType !== 'application/json') return null
  return config.responseJsonSchema ?? config.responseSchema ?? { type: 'object' }
}

/** One GenerateContentResponse. Usage is in every chunk, as the vendor sends it. */
function chunk(answer: SimAnswer, parts: readonly JsonObject[], finishReason: string | null): string {
  const { usage } = answer.performance
  const candidate: JsonObject = { content: { parts: [...parts], role: 'model' } }
  if (finishReason !== null) candidate.finishReason = finishReason
  candidate.index = 0
  const usageMetadata: JsonObject = { promptTokenCount: usage.input }
  if (finishReason !== null) usageMetadata.candidatesTokenCount = usage.output - usage.reasoning
  usageMetadata.totalTokenCount = usage.input + (finishReason === null ? 0 : usage.output)
  usageMetadata.promptTokensDetails = [{ modality: 'TEXT', tokenCount: usage.input }]
  if (usage.reasoning > 0) usageMetadata.thoughtsTokenCount = usage.reasoning
  return JSON.stringify({
    candidates: [candidate],
    usageMetadata,
    modelVersion: answer.request.model,
    responseId: answer.id,
  })
}

function* steps(answer: SimAnswer): Generator<string, void> {
  const { reasoning, text, calls, signature } = answer.performance
  for (const token of reasoning) yield frame(chunk(answer, [{ text: token, thought: true }], null))
  // The signature is on the first part that is not a thought.
  let signed: JsonObject = signature === '' ? {} : { thoughtSignature: signature }
  for (const token of text) {
    yield frame(chunk(answer, [{ text: token, ...signed }], null))
    signed = {}
  }
  for (const call of calls) yield frame(chunk(answer, [{ functionCall: { name: call.name, args: call.args } }], null))
}

function wholeParts(answer: SimAnswer): readonly JsonObject[] {
  const { reasoning, text, calls, signature } = answer.performance
  const parts: JsonObject[] = []
  if (reasoning.length > 0) parts.push({ text: reasoning.join(''), thought: true })
  if (text.length > 0) {
    parts.push({ text: text.join(''), ...(signature === '' ? {} : { thoughtSignature: signature }) })
  }
  for (const call of calls) parts.push({ functionCall: { name: call.name, args: call.args } })
  return parts
}

function encodeError(status: number, message: string): string {
  const name = STATUS_NAMES[status] ?? (status >= 500 ? 'INTERNAL' : 'INVALID_ARGUMENT')
  return JSON.stringify({ error: { code: status, message, status: name } })
}
