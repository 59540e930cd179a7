// A stream that is closed early has the end of its own API: together with what has passed it is one whole answer with the reason `length`.
import { test } from 'tap'
import { type StreamEvent } from '../../../../src/model/event.js'
import { findViolation } from '../../../../src/model/law.js'
import { NO_USAGE } from '../../../../src/model/usage.js'
import { type ClosingOptions, closingFrames } from '../../../../src/pipeline/attempt/cut/closing.js'
import { endOf, OpenBlock } from '../../../../src/pipeline/relay/transcode.js'
import { PROTOCOLS } from '../../../../src/protocols/index.js'
import { createFrameScanner } from '../../../../src/wire/frame.js'
import { fakeTarget } from '../../../helpers/fake-protocol.js'
import { surfaceOf } from '../../../helpers/pipeline-wires.js'

const USAGE = { ...NO_USAGE, inputTokens: 11, outputTokens: 5 }
const META = { id: 'r1', model: 'up', createdSec: 1_700_000_000, usage: null }
const START: StreamEvent = { type: 'start', meta: META }

const WIRES = PROTOCOLS.filter(({ surface, dialect }) => surface !== null && dialect !== null).map(({ id }) => id)

/** What passes before the cut, by what is open then. */
const SCENES: Readonly<Record<string, readonly StreamEvent[]>> = {
  'in a text': [START, ...text(0, 'Hel', 'lo')],
  'in the second block': [
    START,
    ...text(0, 'Hello'),
    { type: 'block-end', index: 0, signature: null },
    { type: 'block-start', index: 1, block: { kind: 'text' } },
    { type: 'block-delta', index: 1, delta: ' you' },
  ],
  'in a thought': [
    START,
    { type: 'block-start', index: 0, block: { kind: 'reasoning', redacted: null } },
    { type: 'block-delta', index: 0, delta: 'Hmm' },
  ],
}

function text(index: number, ...deltas: readonly string[]): StreamEvent[] {
  const block: StreamEvent = { type: 'block-start', index, block: { kind: 'text' } }
  return [block, ...deltas.map((delta): StreamEvent => ({ type: 'block-delta', index, delta }))]
}

function optionsOf(id: string, surfaceId = id): ClosingOptions {
  const dialect = PROTOCOLS.find((each) => each.id === id)?.dialect ?? null
  if (dialect === null) throw new Error(`no dialect ${id}`)
  const surface = surfaceOf(surfaceId)
  return { surface, dialect, target: fakeTarget(id), fallback: META, includeUsage: true, echo: null, own: null }
}

/** The frames of a stream that has passed so far, as a provider of this wire would send them. */
function framesOf({ surface, ...options }: ClosingOptions, events: readonly StreamEvent[]): Uint8Array[] {
  const frames: Uint8Array[] = []
  const encoder = surface.createEncoder((frame) => frames.push(Buffer.from(frame)), {
    includeUsage: true,
    echo: options.echo,
  })
  for (const event of events) encoder.push(event)
  return frames
}

function decoded({ dialect, target }: ClosingOptions, stream: Uint8Array): StreamEvent[] {
  const events: StreamEvent[] = []
  const decoder = dialect.createDecoder((event) => events.push(event), { fallback: META, target })
  const scanner = createFrameScanner(dialect.framing, (payload) => {
    if (payload.length > 0) decoder.push(payload)
  })
  scanner.push(Buffer.from(stream))
  scanner.end()
  decoder.end()
  return events
}

function textOf(events: readonly StreamEvent[]): string {
  return events.flatMap((event) => (event.type === 'block-delta' ? [event.delta] : [])).join('')
}

test('on every wire the end belongs to the stream before it', (t) => {
  t.equal(WIRES.length, 5)
  for (const wire of WIRES) {
    for (const [scene, events] of Object.entries(SCENES)) {
      const options = optionsOf(wire)
      const passed = framesOf(options, events)
      const end = closingFrames(options, passed, USAGE)
      const whole = decoded(options, Buffer.concat([...passed, Buffer.from(end.join(''))]))
      t.equal(findViolation(whole), null, `${wire}, ${scene}: a lawful stream`)
      t.match(whole.at(-1), { type: 'finish', reason: 'length', usage: { outputTokens: 5 } }, `${wire}, ${scene}`)
      t.equal(textOf(whole), textOf(events), `${wire}, ${scene}: nothing is added`)
    }
  }
  t.end()
})

test('where the end depends on the last frames alone, these are enough', (t) => {
  for (const wire of WIRES) {
    const options = optionsOf(wire)
    if (options.surface.hasStatefulEnd === true) continue
    const passed = framesOf(options, SCENES['in a text'] ?? [])
    const end = closingFrames(options, passed.slice(-1), USAGE)
    const whole = decoded(options, Buffer.concat([...passed, Buffer.from(end.join(''))]))
    t.equal(findViolation(whole), null, wire)
    t.match(whole, [{ meta: { model: 'up' } }], wire)
    t.match(whole.at(-1), { type: 'finish', reason: 'length' }, wire)
  }
  t.end()
})

test('a stream that is one array is closed as an array', (t) => {
  const options = optionsOf('google-gemini', 'google-gemini-array')
  const passed = framesOf(options, SCENES['in a text'] ?? [])
  for (const known of [passed, passed.slice(-1)]) {
    const end = closingFrames(options, known, USAGE)
    const chunks = JSON.parse(Buffer.concat(passed).toString() + end.join('')) as unknown[]
    t.equal(chunks.length, passed.length + 1)
    t.match(chunks.at(-1), { candidates: [{ finishReason: 'MAX_TOKENS' }], usageMetadata: { candidatesTokenCount: 5 } })
  }
  t.end()
})

test('the open block is ended before the stream', (t) => {
  const open = new OpenBlock()
  t.same(
    endOf(open, USAGE).map(({ type }) => type),
    ['finish'],
  )
  for (const event of text(3, 'a')) open.note(event)
  t.match(endOf(open, USAGE), [
    { type: 'block-end', index: 3 },
    { type: 'finish', reason: 'length' },
  ])
  open.note({ type: 'block-end', index: 3, signature: null })
  t.same(endOf(open, USAGE).length, 1)
  t.end()
})
