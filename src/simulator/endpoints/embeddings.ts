// Embeddings on three wires. A vector follows from its text alone: equal texts have equal vectors, of length 1.
import { type JsonObject, type JsonValue } from '../../model/json.js'
import { numberOf, objectOf, objectsOf, textOf } from '../wires/wire.js'
import { jsonReply, type SimEndpoint, tokensOf } from './endpoint.js'

const DEFAULT_DIMENSIONS = 8
const MAX_DIMENSIONS = 4096
const GEMINI_PATH = /^\/v1(?:beta|alpha)?\/models\/([^/]+):(?:batchEmbedContents|embedContent)$/

/** A unit vector by a text: FNV-1a, then a linear congruence for each number. */
export function vectorOf(text: string, wanted: number | null): number[] {
  const length = Math.min(Math.max(Math.floor(wanted ?? DEFAULT_DIMENSIONS), 1), MAX_DIMENSIONS)
  let state = 0x811c9dc5
  for (const byte of Buffer.from(text)) state = Math.imul(state ^ byte, 0x01000193) >>> 0
  const raw = Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 0x80000000 - 1
  })
  const norm = Math.hypot(...raw)
  return raw.map((value) => Math.fround(value / norm))
}

/** @see https://platform.openai.com/docs/api-reference/embeddings */
export const openaiEmbeddings: SimEndpoint = {
  wire: 'openai-chat',
  paths: ['/v1/embeddings'],
  isAt: (path) => path === '/v1/embeddings',
  readModel: ({ body }) => (typeof body.model === 'string' ? body.model : null),
  answer({ body }, model) {
    const inputs = inputsOf(body.input)
    const isBase64 = body.encoding_format === 'base64'
    const data = inputs.map((input, index) => {
      const vector = vectorOf(input, numberOf(body.dimensions))
      return { object: 'embedding', index, embedding: isBase64 ? base64Of(vector) : vector }
    })
    const tokens = inputs.reduce((sum, input) => sum + tokensOf(input), 0)
    return jsonReply({ object: 'list', data, model, usage: { prompt_tokens: tokens, total_tokens: tokens } })
  },
}

/** Texts; lists of tokens count as their digits. */
function inputsOf(input: JsonValue | undefined): string[] {
  if (!Array.isArray(input)) return [String(input ?? '')]
  if (input.every((item) => typeof item === 'number')) return [input.join(' ')]
  return input.map((item) => (Array.isArray(item) ? item.join(' ') : String(item)))
}

function base64Of(vector: readonly number[]): string {
  return Buffer.from(Float32Array.from(vector).buffer).toString('base64')
}

/** @see https://ai.google.dev/api/embeddings */
export const geminiEmbeddings: SimEndpoint = {
  wire: 'google-gemini',
  paths: [],
  isAt: (path) => GEMINI_PATH.test(path),
  readModel: ({ url }) => decodeURIComponent(GEMINI_PATH.exec(url.path)?.[1] ?? ''),
  answer({ url, body }) {
    const embed = (request: JsonObject) => {
      return { values: vectorOf(textOf(objectOf(request.content).parts), numberOf(request.outputDimensionality)) }
    }
    if (url.path.endsWith(':embedContent')) return jsonReply({ embedding: embed(body) })
    return jsonReply({ embeddings: objectsOf(body.requests).map(embed) })
  },
}

/** @see https://docs.ollama.com/api/embed */
export const ollamaEmbeddings: SimEndpoint = {
  wire: 'ollama-chat',
  paths: ['/api/embed'],
  isAt: (path) => path === '/api/embed',
  readModel: ({ body }) => (typeof body.model === 'string' ? body.model.replace(/:latest$/, '') : null),
  answer({ body }, model) {
    const inputs = inputsOf(body.input)
    const embeddings = inputs.map((input) => vectorOf(input, numberOf(body.dimensions)))
    const counted = inputs.reduce((sum, input) => sum + tokensOf(input), 0)
    return jsonReply({ model, embeddings, total_duration: 1, load_duration: 1, prompt_eval_count: counted })
  },
}
