// The N x M matrix of translations, each cell a file below test/golden that a person can read:
//   requests/<surface>/<case>.json -> requests/<surface>__<dialect>/<case>.json      what leaves for the upstream
//   fixtures/<dialect>/streams     -> streams/<dialect>__<surface>/<case>.sse        what a client gets as a stream
//                                  -> responses/<dialect>__<surface>/<case>.json     ... and as a whole answer
//   fixtures/<dialect>/errors      -> errors/<dialect>__<surface>/<case>.json        ... and where the upstream refused
// A surface whose wire only clients speak has its own few requests, and the streams of one dialect: it sees events alone.
import { type Test, test } from 'tap'
import { Aggregator } from '../src/model/aggregate.js'
import { type StreamEvent } from '../src/model/event.js'
import { type JsonObject } from '../src/model/json.js'
import { findViolation } from '../src/model/law.js'
import { type Dialect, type Surface } from '../src/protocols/contract/protocol.js'
import { fitAnswer } from '../src/protocols/fit/answer.js'
import { GoldenFiles, listGolden, readGolden } from './helpers/golden.js'
import {
  DIALECTS,
  decodeBytes,
  decodeErrorFixture,
  encodeStream,
  FALLBACK,
  jsonPayloadsOf,
  listFixtures,
  payloadsOf,
  REQUEST_ID,
  readFixture,
  SURFACES,
  sendRequest,
  targetOf,
} from './helpers/matrix.js'
import { CLIENT_SURFACES, minRequests, readFixtures } from './helpers/protocol-fixtures.js'

const REQUEST_CASES = [
  ['text', 'system', 'turns', 'image-base64', 'image-url', 'tools', 'parallel-tools', 'tool-results'],
  ['tool-choice-named', 'json-schema', 'reasoning', 'stop-sequence', 'sampling', 'unknown-fields'],
  ['pdf-base64', 'pdf-url', 'document-text', 'foreign', 'media-history', 'vendor-tools'],
].flat()

/** Cases that every dialect must have, under whatever name its vendor's recording bears. */
const STREAM_CASES = [
  ['text', 'unicode', 'tool-call', 'parallel-tools', 'reasoning', 'length'],
  ['error-midstream', 'cut'],
].flat()

/** Case -> recording, where the names differ; `half` takes that share of a recording's bytes. */
const RECORDINGS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'openai-chat': {
    reasoning: 'reasoning-deepseek.sse',
    'error-midstream': 'quota-error-midstream.sse',
    cut: 'text.sse',
    'content-filter': 'content-filter.sse',
    'cached-usage': 'cached-usage.sse',
    'usage-absent': 'usage-absent.sse',
    refusal: 'refusal.sse',
    'interleaved-tools': 'interleaved-tools.sse',
    citations: 'citations.sse',
    images: 'images-openrouter.sse',
  },
  'openai-responses': {
    cut: 'text.sse',
    'content-filter': 'content-filter.sse',
    'cached-usage': 'cached-usage.sse',
    refusal: 'refusal.sse',
    'interleaved-tools': 'interleaved-tools.sse',
    'reasoning-encrypted': 'reasoning-encrypted.sse',
    'reasoning-shown': 'vllm-reasoning.sse',
    'custom-tool': 'custom-tool.sse',
    'web-search': 'web-search.sse',
    images: 'image-generation.sse',
    'failed-midstream': 'failed-midstream.sse',
  },
  'anthropic-messages': {
    'error-midstream': 'overloaded-midstream.sse',
    cut: 'text.sse',
    'content-filter': 'refusal.sse',
    citations: 'citations.sse',
    'web-search': 'web-search.sse',
    'refusal-explained': 'refusal-explained.sse',
    'stop-sequence': 'stop-sequence.sse',
    'cached-usage': 'cached-usage.sse',
    'redacted-reasoning': 'redacted-reasoning.sse',
    'signature-only': 'signature-only.sse',
    'empty-tool-input': 'empty-tool-input.sse',
  },
  'google-gemini': {
    'content-filter': 'safety.sse',
    grounding: 'grounding.sse',
    images: 'image.sse',
    'code-execution': 'code-execution.sse',
    'prompt-blocked': 'prompt-blocked.sse',
    'malformed-call': 'malformed-call.sse',
    'cached-usage': 'cached-usage.sse',
    'thought-signature': 'thought-signature.sse',
    'signature-only': 'signature-only.sse',
    'signature-last': 'signature-last.sse',
  },
  'ollama-chat': { 'load-only': 'load-only.ndjson', 'no-done-reason': 'no-done-reason.ndjson' },
}

/** Of a recording that is whole, this share makes a cut one; it falls inside a frame. */
const CUT_SHARE = 0.7
/** Cuts frames, and characters of more than one byte. */
const CHUNK_BYTES = 7
const END_MARKERS: Readonly<Record<string, (sent: string) => boolean>> = {
  'openai-chat': (sent) => sent.includes('[DONE]'),
  'openai-responses': (sent) => /"type":"response\.(completed|incomplete)"/.test(sent),
  'anthropic-messages': (sent) => sent.includes('message_stop'),
  'google-gemini': (sent) => sent.includes('"finishReason"'),
  'ollama-chat': (sent) => sent.includes('"done":true'),
}
/** Frames of an error, where they are more than one. */
const ERROR_FRAMES: Readonly<Record<string, number>> = { 'openai-responses': 2 }
/** Surfaces x dialects; more of either only makes it grow. */
const MIN_PAIRS = 8

/** Of the streams, those that differ for clients that see text alone. */
const CLIENT_STREAM_CASES = ['text', 'unicode', 'reasoning', 'error-midstream', 'cut']
const CLIENT_DIALECT = 'openai-chat'

const golden = new GoldenFiles()
const pairs = SURFACES.flatMap((surface) => DIALECTS.map((dialect) => ({ surface, dialect })))

/** Of the surfaces for clients alone those that have words of their own: one hands on the upstream's. */
const TRANSLATED = CLIENT_SURFACES.filter((surface) => surface.readFacts(firstRequestOf(surface)).raw === undefined)

function recordingOf(dialect: Dialect, name: string): Buffer {
  const extension = dialect.framing === 'sse' ? 'sse' : 'ndjson'
  const file = RECORDINGS[dialect.id]?.[name] ?? `${name}.${extension}`
  const bytes = readFixture(`${dialect.id}/streams/${file}`)
  const isWhole = name === 'cut' && !file.startsWith('cut')
  return isWhole ? bytes.subarray(0, bytes.length * CUT_SHARE) : bytes
}

function streamCasesOf(dialect: Dialect): string[] {
  return [...new Set([...STREAM_CASES, ...Object.keys(RECORDINGS[dialect.id] ?? {})])]
}

function encodeWhole(surface: Surface, dialect: Dialect, events: readonly StreamEvent[]) {
  const aggregator = new Aggregator(FALLBACK)
  for (const event of events) aggregator.push(event)
  if (aggregator.error !== null) return surface.encodeError(aggregator.error, REQUEST_ID)
  const { response, dropped } = fitAnswer(aggregator.response(), surface.hasPlaceFor)
  const named = dropped.length === 0 ? {} : { dropped }
  return { status: 200, body: surface.encodeResponse(response, targetOf(dialect)), ...named }
}

test('every request of every surface leaves for every upstream in its own words', (t) => {
  for (const { surface, dialect } of pairs) {
    for (const name of REQUEST_CASES) {
      const body = JSON.parse(readGolden(`requests/${surface.id}/${name}.json`))
      golden.compareJson(t, `requests/${surface.id}__${dialect.id}/${name}.json`, sendRequest(surface, dialect, body))
    }
  }
  t.end()
})

test('every recorded stream reaches every client in its own words, whole or streamed', (t) => {
  for (const { surface, dialect } of pairs) {
    for (const name of streamCasesOf(dialect)) {
      const recording = recordingOf(dialect, name)
      const events = decodeBytes(dialect, recording, CHUNK_BYTES)
      t.strictSame(decodeBytes(dialect, recording, recording.length), events, `${dialect.id} ${name} in one chunk`)
      t.equal(findViolation(events), null, `${dialect.id} ${name} keeps the law of events`)
      const sent = encodeStream(surface, events)
      const pair = `${dialect.id}__${surface.id}`
      golden.compare(t, `streams/${pair}/${name}.${surface.framing}`, sent)
      golden.compareJson(t, `responses/${pair}/${name}.json`, encodeWhole(surface, dialect, events))
      checkEnd(t, surface, sent, events)
    }
  }
  t.end()
})

/** The end marker stands at the end of every whole stream, and nowhere in one that failed. */
function checkEnd(t: Test, surface: Surface, sent: string, events: readonly StreamEvent[]): void {
  const hasFailed = events.at(-1)?.type === 'error'
  const last = payloadsOf(sent).at(-1) ?? ''
  const hasEnd = END_MARKERS[surface.id]
  if (hasEnd === undefined) throw new Error(`no end marker is known of ${surface.id}`)
  t.equal(hasEnd(sent), !hasFailed, 'end marker')
  t.equal(hasEnd(last), !hasFailed, 'end marker is last')
  t.equal('error' in (jsonPayloadsOf(sent).at(-(ERROR_FRAMES[surface.id] ?? 1)) ?? {}), hasFailed, 'error frame')
}

test('every refusal of every upstream reaches every client in its own envelope', (t) => {
  for (const { surface, dialect } of pairs) {
    for (const file of listFixtures(dialect, 'errors')) {
      const answer = surface.encodeError(decodeErrorFixture(dialect, file), REQUEST_ID)
      const name = file.slice(0, file.lastIndexOf('.'))
      golden.compareJson(t, `errors/${dialect.id}__${surface.id}/${name}.json`, answer)
    }
  }
  t.end()
})

test('every request of a surface for clients alone leaves for every upstream in its own words', (t) => {
  for (const surface of TRANSLATED) {
    for (const dialect of DIALECTS) {
      for (const { name, bytes } of readFixtures(surface.id, 'requests')) {
        const sent = sendRequest(surface, dialect, JSON.parse(bytes.toString()))
        golden.compareJson(t, `requests/${surface.id}__${dialect.id}/${name}.json`, sent)
      }
    }
  }
  t.end()
})

test('a stream reaches clients of such a surface in its own words, whole or streamed', (t) => {
  const dialect = DIALECTS.find(({ id }) => id === CLIENT_DIALECT)
  if (dialect === undefined) throw new Error(CLIENT_DIALECT)
  for (const surface of TRANSLATED) {
    for (const name of CLIENT_STREAM_CASES) {
      const recording = recordingOf(dialect, name)
      const events = decodeBytes(dialect, recording, CHUNK_BYTES)
      const sent = encodeStream(surface, events, surface.readFacts(firstRequestOf(surface)).includeUsage)
      const pair = `${dialect.id}__${surface.id}`
      golden.compare(t, `streams/${pair}/${name}.${surface.framing}`, sent)
      golden.compareJson(t, `responses/${pair}/${name}.json`, encodeWhole(surface, dialect, events))
      const last = lastFrame(surface, sent)
      const isError = last !== '[DONE]' && 'error' in lastOf(JSON.parse(last))
      t.equal(isError, events.at(-1)?.type === 'error', `${pair} ${name}: error last`)
    }
  }
  t.end()
})

function lastFrame({ framing }: Surface, sent: string): string {
  if (framing === 'json') return sent
  return (framing === 'sse' ? payloadsOf(sent).at(-1) : sent.trimEnd().split('\n').at(-1)) ?? ''
}

/** A stream that is one document may be one object, or a list of them. */
function lastOf(whole: object): object {
  return Array.isArray(whole) ? whole.at(-1) : whole
}

function firstRequestOf(surface: Surface): JsonObject {
  return JSON.parse(readFixtures(surface.id, 'requests')[0]?.bytes.toString() ?? '{}')
}

test('no cell is missing and no golden file is left over', (t) => {
  t.ok(pairs.length >= MIN_PAIRS)
  const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0)
  const requests = pairs.length * REQUEST_CASES.length
  const streams = SURFACES.length * sum(DIALECTS.map((dialect) => streamCasesOf(dialect).length))
  const errors = SURFACES.length * sum(DIALECTS.map((dialect) => listFixtures(dialect, 'errors').length))
  const ofClients = TRANSLATED.map(({ id }) => readFixtures(id, 'requests').length * DIALECTS.length)
  const clientStreams = TRANSLATED.length * CLIENT_STREAM_CASES.length
  t.equal(golden.count, requests + 2 * streams + errors + sum(ofClients) + 2 * clientStreams)
  for (const surface of CLIENT_SURFACES) t.ok(readFixtures(surface.id, 'requests').length >= minRequests(surface))
  t.ok(golden.count >= MIN_PAIRS * (REQUEST_CASES.length + 2 * STREAM_CASES.length))
  const inputs = SURFACES.flatMap((surface) => listGolden(`requests/${surface.id}/`))
  t.equal(inputs.length, SURFACES.length * REQUEST_CASES.length)
  golden.checkLeftOver(t, new Set(inputs))
  t.end()
})
