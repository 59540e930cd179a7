// What must hold for any input at all: 10,000 random ones a run for each property, and every one that ever failed.
import fc from 'fast-check'
import { test } from 'tap'
import { GatewayError } from '../../src/errors.js'
import { Aggregator } from '../../src/model/aggregate.js'
import { type StreamEvent } from '../../src/model/event.js'
import { type JsonValue } from '../../src/model/json.js'
import { findViolation } from '../../src/model/law.js'
import { eventsOf } from '../../src/model/replay.js'
import { type AssistantPart } from '../../src/model/request.js'
import { type ChatResponse } from '../../src/model/response.js'
import { createCodec } from '../../src/protocols/contract/codec.js'
import { type Dialect } from '../../src/protocols/contract/protocol.js'
import { PROTOCOLS } from '../../src/protocols/index.js'
import { cutAtRandom } from '../helpers/chunks.js'
import { assertHolds, type Edit, edited, edits, type Spoil, spoiled, spoils } from '../helpers/fuzz.js'
import { DIALECTS, decodeChunks, FALLBACK, readFixtures, SURFACES, targetFor } from '../helpers/protocol-fixtures.js'
import { testTarget } from '../helpers/targets.js'

const codec = createCodec(PROTOCOLS)

/** Runs it; true if it ends well or with an error of ours. */
function isTyped(run: () => void): boolean {
  try {
    run()
    return true
  } catch (thrown) {
    if (thrown instanceof GatewayError && thrown.data.code !== 'internal') return true
    throw thrown
  }
}

for (const { id } of SURFACES) {
  const requests = readFixtures(id, 'requests')
  const trees = requests.map(({ bytes }) => JSON.parse(bytes.toString()) as JsonValue)

  test(`${id}: a request edited anyhow is decoded and encoded for any upstream, or refused with a reason`, async () => {
    const inputs = fc.tuple(fc.nat(trees.length - 1), edits(4))
    assertHolds({ name: `requests-${id}`, inputs }, ([which, changes]: [number, Edit[]]) => {
      const body = new TextEncoder().encode(JSON.stringify(edited(trees[which] ?? null, changes)))
      return isTyped(() => {
        const decoded = codec.decodeBody(id, body)
        for (const dialect of DIALECTS) {
          const target = testTarget(dialect.id)
          codec.encodeBody({ ...decoded, surfaceId: id, body, target, upstreamStream: true, prompt: null })
        }
      })
    })
    if (({} as { x?: unknown; type?: unknown }).type !== undefined) throw new Error('a prototype has changed')
  })

  test(`${id}: a request's bytes, cut and overwritten, are decoded or refused with a reason`, async () => {
    const inputs = fc.tuple(fc.nat(requests.length - 1), spoils())
    assertHolds({ name: `bytes-${id}`, inputs }, ([which, spoil]: [number, Spoil[]]) => {
      const body = new Uint8Array(spoiled(requests[which]?.bytes ?? Buffer.alloc(0), spoil))
      return isTyped(() => {
        const { json } = codec.decodeBody(id, body)
        if (json !== null) codec.encodeBody({ ...codec.decodeBody(id, body), surfaceId: id, body, ...OWN(id) })
      })
    })
  })
}

function OWN(protocol: string) {
  return { target: testTarget(protocol), upstreamStream: true, prompt: null }
}

for (const dialect of DIALECTS) {
  test(`${dialect.id}: a stream spoiled anyhow gives the same lawful events however it is cut`, async () => {
    const streams = readFixtures(dialect.id, 'streams')
    const inputs = fc.tuple(fc.nat(streams.length - 1), spoils(), fc.array(fc.nat(200), { maxLength: 12 }))
    assertHolds({ name: `streams-${dialect.id}`, inputs }, ([which, spoil, sizes]: [number, Spoil[], number[]]) => {
      const bytes = spoiled(streams[which]?.bytes ?? Buffer.alloc(0), spoil)
      const whole = eventsIn(dialect, bytes, [bytes])
      const cut = eventsIn(dialect, bytes, cutAtRandom(bytes, sizes))
      if (JSON.stringify(whole) !== JSON.stringify(cut)) throw new Error('the cut has changed the events')
      const violation = findViolation(whole)
      if (violation !== null) throw new Error(violation)
      return true
    })
  })
}

function eventsIn(dialect: Dialect, bytes: Buffer, chunks: readonly Buffer[]): StreamEvent[] {
  return decodeChunks(dialect, targetFor(dialect, bytes), chunks)
}

const text = fc.string({ unit: fc.constantFrom('a', '"', '\\', 'é', '🌊', '\n', '{', ' '), maxLength: 12 })
const part: fc.Arbitrary<AssistantPart> = fc.oneof(
  fc.record({ type: fc.constant('text' as const), text }),
  fc.record({
    type: fc.constant('reasoning' as const),
    text,
    signature: fc.option(text),
    redacted: fc.option(text),
  }),
  fc.record({
    type: fc.constant('tool-call' as const),
    id: text,
    name: text,
    arguments: text,
    signature: fc.option(text),
  }),
)
const answers: fc.Arbitrary<ChatResponse> = fc.record({
  meta: fc.constant(FALLBACK),
  content: fc.array(part, { maxLength: 5 }),
  finishReason: fc.constantFrom('stop', 'length', 'tool-calls', 'other'),
  stopSequence: fc.option(text),
  usage: fc.constant(null),
})

test('aggregating the events of an answer yields the answer, wherever its deltas are cut', async () => {
  assertHolds({ name: 'answers', inputs: fc.tuple(answers, fc.nat(3)) }, ([answer, size]: [ChatResponse, number]) => {
    const events = eventsOf(answer).flatMap((event) => cutDelta(event, size))
    const violation = findViolation(events)
    if (violation !== null) throw new Error(violation)
    const aggregator = new Aggregator({ ...FALLBACK, id: 'other' })
    for (const event of events) aggregator.push(event)
    return JSON.stringify(aggregator.response()) === JSON.stringify(answer)
  })
})

/** The event, or its delta in two pieces, one of which may be half a character. */
function cutDelta(event: StreamEvent, size: number): StreamEvent[] {
  if (event.type !== 'block-delta') return [event]
  return [
    { ...event, delta: event.delta.slice(0, size) },
    { ...event, delta: event.delta.slice(size) },
  ]
}
