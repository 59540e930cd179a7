// OpenAI's endpoints besides chats and embeddings, and the reranking that servers of its wire have. Answers follow from the request: a
// completion repeats its prompt, speech is silence of the text's length, an image is one pixel.
import { type JsonObject, type JsonValue } from '../../model/json.js'
import { objectOf } from '../wires/wire.js'
import { jsonReply, type SimAsked, type SimEndpoint, type SimReply, tokensOf } from './endpoint.js'

const WIRE = 'openai-chat'
/** A PNG of one transparent pixel. */
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
/** Bytes of audio for each character. */
const AUDIO_BYTES = 64
const HARMFUL = /\bkill\b/i

type Answer = (asked: SimAsked, model: string) => SimReply

function endpoint(path: string, answer: Answer, defaultModel: string | null = null): SimEndpoint {
  return {
    wire: WIRE,
    paths: [path],
    isAt: (asked) => asked === path,
    readModel: ({ body }) => (typeof body.model === 'string' ? body.model : defaultModel),
    answer,
  }
}

/** @see https://platform.openai.com/docs/api-reference */
export const openaiEndpoints: readonly SimEndpoint[] = [
  endpoint('/v1/completions', complete),
  endpoint('/v1/moderations', moderate, 'omni-moderation-latest'),
  endpoint('/v1/rerank', rerank),
  endpoint('/v1/images/generations', drawImage, 'dall-e-2'),
  endpoint('/v1/audio/speech', speak),
  endpoint('/v1/images/edits', drawImage, 'dall-e-2'),
  endpoint('/v1/images/variations', drawImage, 'dall-e-2'),
  endpoint('/v1/audio/transcriptions', transcribe),
  endpoint('/v1/audio/translations', transcribe),
]

function complete({ body, id, createdSec }: SimAsked, model: string): SimReply {
  const words = textOf(body.prompt).split(/(?<=\s)/)
  const limit = typeof body.max_tokens === 'number' ? body.max_tokens : 16
  const said = words.slice(0, limit)
  const finish = said.length < words.length ? 'length' : 'stop'
  const usage = {
    prompt_tokens: tokensOf(words.join('')),
    completion_tokens: said.length,
    total_tokens: tokensOf(words.join('')) + said.length,
  }
  const chunk = (text: string, finish_reason: string | null): JsonObject => ({
    ...{ id: `cmpl-${id}`, object: 'text_completion', created: createdSec, model },
    choices: [{ text, index: 0, logprobs: null, finish_reason }],
  })
  if (body.stream !== true) return jsonReply({ ...chunk(said.join(''), finish), usage })
  const chunks = [...said.map((word) => chunk(word, null)), chunk('', finish)]
  if (objectOf(body.stream_options).include_usage === true) chunks.push({ ...chunk('', null), choices: [], usage })
  return streamReply([...chunks.map((value) => JSON.stringify(value)), '[DONE]'])
}

function moderate({ body, id }: SimAsked, model: string): SimReply {
  const inputs = Array.isArray(body.input) ? body.input : [body.input ?? '']
  const results = inputs.map((input) => {
    const flagged = HARMFUL.test(textOf(input))
    return { flagged, categories: { violence: flagged }, category_scores: { violence: flagged ? 0.9 : 0.01 } }
  })
  return jsonReply({ id: `modr-${id}`, model, results })
}

/** Documents that share more words with the query come first. */
function rerank({ body, id }: SimAsked, model: string): SimReply {
  const wanted = new Set(wordsOf(textOf(body.query)))
  const documents = Array.isArray(body.documents) ? body.documents : []
  const results = documents
    .map((document, index) => {
      const words = wordsOf(textOf(document))
      return { index, relevance_score: words.filter((word) => wanted.has(word)).length / Math.max(words.length, 1) }
    })
    .sort((a, b) => b.relevance_score - a.relevance_score)
  const limit = typeof body.top_n === 'number' ? body.top_n : results.length
  const total = tokensOf(`${textOf(body.query)}${documents.map(textOf).join('')}`)
  return jsonReply({ id: `rerank-${id}`, model, results: results.slice(0, limit), usage: { total_tokens: total } })
}

function drawImage({ body, createdSec }: SimAsked): SimReply {
  const input = tokensOf(textOf(body.prompt))
  const usage = { input_tokens: input, output_tokens: 1, total_tokens: input + 1 }
  if (body.stream === true || body.stream === 'true') {
    const partial = { type: 'image_generation.partial_image', b64_json: PIXEL, partial_image_index: 0 }
    const last = { type: 'image_generation.completed', b64_json: PIXEL, created_at: createdSec, usage }
    return streamReply([partial, last].map((value) => JSON.stringify(value)))
  }
  const count = typeof body.n === 'number' ? body.n : 1
  return jsonReply({ created: createdSec, data: Array.from({ length: count }, () => ({ b64_json: PIXEL })), usage })
}

function speak({ body }: SimAsked): SimReply {
  const text = textOf(body.input)
  if (body.stream_format === 'sse') {
    const audio = Buffer.alloc(AUDIO_BYTES).toString('base64')
    const events = [...text].map(() => JSON.stringify({ type: 'speech.audio.delta', audio }))
    const usage = { input_tokens: tokensOf(text), output_tokens: text.length, total_tokens: text.length }
    return streamReply([...events, JSON.stringify({ type: 'speech.audio.done', usage })])
  }
  return { contentType: 'audio/mpeg', body: Buffer.alloc(text.length * AUDIO_BYTES, 0xff) }
}

/** Says how long the file is. */
function transcribe({ body, files }: SimAsked): SimReply {
  const text = `${files.file ?? 0} bytes of audio`
  const usage = { type: 'tokens', input_tokens: 10, output_tokens: tokensOf(text), total_tokens: 10 + tokensOf(text) }
  if (body.response_format === 'text')
    return { contentType: 'text/plain; charset=utf-8', body: Buffer.from(`${text}\n`) }
  if (body.stream !== 'true') return jsonReply({ text, usage })
  const deltas = text.split(/(?<=\s)/).map((delta) => JSON.stringify({ type: 'transcript.text.delta', delta }))
  return streamReply([...deltas, JSON.stringify({ type: 'transcript.text.done', text, usage })])
}

function streamReply(payloads: readonly string[]): SimReply {
  const body = Buffer.from(payloads.map((payload) => `data: ${payload}\n\n`).join(''))
  return { contentType: 'text/event-stream', body }
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/\w+/g) ?? []
}

function textOf(value: JsonValue | undefined): string {
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.map(textOf).join('')
  return typeof value === 'object' && value !== null ? textOf(value.text) : ''
}
