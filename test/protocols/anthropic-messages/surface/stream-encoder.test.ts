// Canonical events become the vendor's frames: checked against the recordings and against the vendor's own client.

import Anthropic from '@anthropic-ai/sdk'
import { test } from 'tap'
import { type StreamEvent } from '../../../../src/model/event.js'
import { isJsonObject, type JsonObject } from '../../../../src/model/json.js'
import { NO_PARTS } from '../../../../src/model/usage.js'
import { MessagesEncoder } from '../../../../src/protocols/anthropic-messages/surface/stream-encoder.js'
import { decodeAll, FALLBACK, filesOf, jsonOf, payloadsOf, splitFrames } from '../fixtures.js'

function encodeAll(events: readonly StreamEvent[]): string {
  let stream = ''
  const encoder = new MessagesEncoder((frame) => {
    splitFrames(frame)
    stream += frame
  })
  for (const event of events) encoder.push(event)
  return stream
}

/** The members that both the recording and we have: what the vendor adds for itself (tiers, servers) is not compared. */
function commonOf(ours: unknown, theirs: unknown): unknown {
  if (!isJsonObject(ours) || !isJsonObject(theirs)) return theirs
  return Object.fromEntries(Object.keys(ours).map((key) => [key, commonOf(ours[key], theirs[key] ?? ours[key])]))
}

const framesOf = (stream: string): JsonObject[] =>
  splitFrames(stream).map(({ event, data }) => {
    const frame: JsonObject = JSON.parse(data)
    if (frame.type !== event) throw new Error('the event line and the payload disagree')
    return frame
  })

/**
 * Recordings whose re-encoding differs for a reason: input of the vendor's tools in one
 * fragment, usage merged into one message_delta, and `{}` for a tool input that the recording leaves empty.
 */
const NORMALISED = ['server-tools.sse', 'web-search.sse', 'zero-input-delta.sse', 'empty-tool-input.sse']

test('a recorded stream comes out as it went in, but for pings', async (t) => {
  for (const file of filesOf('streams').filter((name) => !NORMALISED.includes(name))) {
    const payloads = payloadsOf(file.replace('.sse', ''))
    const theirs = payloads.map((payload) => JSON.parse(payload.toString())).filter((f) => !/ping|error/.test(f.type))
    const ours = framesOf(encodeAll(decodeAll(payloads)))
    t.strictSame(
      ours,
      ours.map((frame, i) => commonOf(frame, theirs[i])),
      file,
    )
    t.equal(ours.length, theirs.length, file)
  }
})

/** A client of the vendor that gets `stream` for an answer. */
function finalMessageOf(stream: string): Promise<Anthropic.Message> {
  const fetch = async () => new Response(stream, { headers: { 'content-type': 'text/event-stream' } })
  const client = new Anthropic({ apiKey: 'test', baseURL: 'http://127.0.0.1:1', maxRetries: 0, fetch })
  const messages = [{ role: 'user', content: 'Hi' }] as const
  return client.messages.stream({ model: 'm', max_tokens: 1, messages: [...messages] }).finalMessage()
}

test('the vendor’s own client reads our stream as the whole answer', async (t) => {
  for (const file of filesOf('responses')) {
    const message = await finalMessageOf(encodeAll(decodeAll(payloadsOf(file.replace('.json', '')))))
    const whole = jsonOf(`responses/${file}`)
    t.strictSame(JSON.parse(JSON.stringify(message.content)), whole.content, file)
    t.equal(message.stop_reason, whole.stop_reason)
    t.equal(message.stop_sequence, whole.stop_sequence)
    t.match(message.usage, { input_tokens: isJsonObject(whole.usage) ? whole.usage.input_tokens : null })
    t.match(message.usage, { output_tokens: isJsonObject(whole.usage) ? whole.usage.output_tokens : null })
  }
})

const START: StreamEvent = { type: 'start', meta: { ...FALLBACK, id: 'chatcmpl-7' } }
const finish = (usage: StreamEvent & { type: 'finish' }): StreamEvent => usage
const USAGE = {
  inputTokens: 9,
  outputTokens: 4,
  cachedInputTokens: 5,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
  parts: NO_PARTS,
}

test('gives foreign ids the vendor’s prefix and no 0/0 where usage is unknown', async (t) => {
  const [start, delta] = framesOf(
    encodeAll([START, finish({ type: 'finish', reason: 'stop', usage: USAGE, stopSequence: null })]),
  )
  t.match(start, { message: { id: 'msg_chatcmpl-7', usage: { input_tokens: 0, output_tokens: 1 } } })
  t.match(delta, { usage: { input_tokens: 4, cache_read_input_tokens: 5, output_tokens: 4 } })
})

test('says at the end what was known at the start when nothing better came', async (t) => {
  const start: StreamEvent = { type: 'start', meta: { ...FALLBACK, usage: { ...USAGE, outputTokens: 0 } } }
  const frames = framesOf(encodeAll([start, { type: 'finish', reason: 'length', usage: null, stopSequence: null }]))
  t.match(frames, [
    { message: { usage: { input_tokens: 4, cache_read_input_tokens: 5, output_tokens: 1 } } },
    { delta: { stop_reason: 'max_tokens' }, usage: { input_tokens: 4, output_tokens: 0 } },
    { type: 'message_stop' },
  ])
  t.match(framesOf(encodeAll([START, { type: 'finish', reason: 'stop', usage: null, stopSequence: null }]))[1], {
    usage: { output_tokens: 0 },
  })
})

test('closes thinking with its signature before the block ends, and only when there is one', async (t) => {
  const block = { kind: 'reasoning', redacted: null } as const
  const frames = framesOf(
    encodeAll([
      { type: 'block-start', index: 0, block },
      { type: 'block-end', index: 0, signature: 'sig' },
      { type: 'block-start', index: 1, block },
      { type: 'block-end', index: 1, signature: null },
    ]),
  )
  t.match(frames, [
    { type: 'content_block_start', content_block: { type: 'thinking', thinking: '', signature: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 'sig' } },
    { type: 'content_block_stop', index: 0 },
    { type: 'content_block_start' },
    { type: 'content_block_stop', index: 1 },
  ])
})

test('signs no block but thinking: the vendor has no place for signatures of text and tool calls', async (t) => {
  const frames = framesOf(
    encodeAll([
      { type: 'block-start', index: 0, block: { kind: 'reasoning', redacted: null } },
      { type: 'block-end', index: 0, signature: null },
      { type: 'block-start', index: 1, block: { kind: 'text' } },
      { type: 'block-end', index: 1, signature: 'google-gemini:EtoB' },
      { type: 'block-start', index: 2, block: { kind: 'tool-call', id: 'a', name: 'f' } },
      { type: 'block-end', index: 2, signature: 'google-gemini:CuQC' },
    ]),
  )
  t.notMatch(JSON.stringify(frames), /signature_delta/)
})

test('escapes text so that a frame stays one frame, and sends no empty delta', async (t) => {
  const stream = encodeAll([
    { type: 'block-start', index: 0, block: { kind: 'text' } },
    { type: 'block-delta', index: 0, delta: '' },
    { type: 'block-delta', index: 0, delta: 'a\n\ndata: "b"\r\ud83d' },
  ])
  const frames = framesOf(stream)
  t.equal(frames.length, 2)
  t.strictSame(frames[1]?.delta, { type: 'text_delta', text: 'a\n\ndata: "b"\r\ud83d' })
})

test('an error event emits nothing: the sink writes the error frame', async (t) => {
  const error = decodeAll([]).at(-1)
  t.equal(encodeAll(error === undefined ? [] : [error]), '')
})
