// Same protocol on both sides: bytes pass as they are.
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { PassthroughRelay } from '../../../src/pipeline/relay/passthrough.js'
import { PROTOCOLS } from '../../../src/protocols/index.js'
import { ANTHROPIC, OPENAI, STREAMS } from '../../helpers/pipeline-wires.js'
import { feed, relayOptionsFor } from '../../helpers/relay.js'

test('the bytes of the upstream pass as they are, wherever they are cut', async (t) => {
  for (const wire of [OPENAI, ANTHROPIC] as const) {
    const { head, content, finish, marker } = STREAMS[wire]
    const text = head + content.join('') + finish + marker
    for (const size of [1, 2, 3, 7, 64, 1000, 100_000]) {
      const { options, outlet } = relayOptionsFor(wire, wire, { includeUsage: true })
      const relay = new PassthroughRelay(options)
      feed(relay, text, size)
      t.equal(outlet.text, text, `${wire} by ${size}`)
      t.equal(outlet.told.at(-1), 'complete')
      t.match(relay.meter.usage, { inputTokens: 11, outputTokens: 7 })
      t.equal(relay.meter.finish, 'stop')
    }
  }
})

/** A wire whose answers have ids of the gateway. */
const STORED = 'openai-responses' as Parameters<typeof relayOptionsFor>[1]
const OWN = { id: 'resp_ours', store: true, background: false, previous_response_id: null }
const STORED_FRAMES = [
  'event: response.created\ndata: {"type":"response.created","sequence_number":0,"response":{"id":"resp_9","store":false,"background":false,"previous_response_id":null}}\n\n',
  'data: {"type":"response.output_text.delta","sequence_number":1,"delta":"resp_9"}\r\n\r\n',
  'data: {"type":"response.completed","sequence_number":2,\ndata: "response":{"id":"resp_9","status":"completed","output":[{}]}}\n\n',
]

test('only frames with a response change, and only what the gateway decides, wherever they are cut', async (t) => {
  const [created = '', delta = '', completed = ''] = STORED_FRAMES
  for (const size of [1, 7, 100_000]) {
    const { options, outlet } = relayOptionsFor(STORED, STORED, { own: OWN })
    feed(new PassthroughRelay(options), STORED_FRAMES.join(''), size)
    const shown = created.replace('resp_9', 'resp_ours').replace('"store":false', '"store":true')
    t.ok(outlet.text.startsWith(shown + delta), outlet.text)
    const last = outlet.text.slice((shown + delta).length)
    t.match(last, /^data: \{"type":"response.completed","sequence_number":2,\ndata: "response":\{.*"id":"resp_ours"/)
    t.notMatch(last, /resp_9/)
    t.equal(outlet.last, null)
    const plain = relayOptionsFor(STORED, STORED)
    feed(new PassthroughRelay(plain.options), STORED_FRAMES.join(''), size)
    t.equal(plain.outlet.text, created + delta + completed, 'without a decision all bytes pass')
  }
})

test('an answer that runs without its client says that it has waited, and the numbers go on, wherever frames are cut', async (t) => {
  for (const size of [1, 7, 100_000]) {
    const { options, outlet } = relayOptionsFor(STORED, STORED, { own: { ...OWN, background: true } })
    feed(new PassthroughRelay(options), STORED_FRAMES.join(''), size)
    t.match(
      outlet.text,
      /^event: response\.created\ndata: .*\n\nevent: response\.queued\ndata: \{"type":"response\.queued".*\n\n/,
    )
    const numbers = [...outlet.text.matchAll(/"sequence_number":(\d+)/g)].map(([, number]) => number)
    t.same(numbers, ['0', '1', '2', '3'])
    t.equal(outlet.text.match(/"status":"queued"/g)?.length, 2)
  }
})

test('the last frame waits where its answer is to be stored, all before it pass', async (t) => {
  for (const size of [1, 7, 100_000]) {
    const { options, outlet } = relayOptionsFor(STORED, STORED, { own: OWN, holdsEnd: true })
    feed(new PassthroughRelay(options), STORED_FRAMES.join(''), size)
    t.match(outlet.text, /response\.created[\s\S]*delta/)
    t.notMatch(outlet.text, /response\.completed/)
    t.match(outlet.last, /"id":"resp_ours"/)
    t.equal(outlet.told.at(-1), 'complete')
  }
})

test('usage that the client did not ask for is taken out, in one piece or many', async (t) => {
  const { head, content, finish, marker } = STREAMS[OPENAI]
  for (const size of [1, 50, 100_000]) {
    const { options, outlet } = relayOptionsFor(OPENAI, OPENAI)
    const relay = new PassthroughRelay(options)
    feed(relay, head + content.join('') + finish + marker, size)
    t.notMatch(outlet.text, /prompt_tokens/)
    t.ok(outlet.text.endsWith(marker))
    t.equal(outlet.text.startsWith(head + content.join('')), true)
    t.match(relay.meter.usage, { inputTokens: 11 })
  }
})

test('distinguishes frames before content from content; drops comments before it', async (t) => {
  const { options, outlet } = relayOptionsFor(OPENAI, OPENAI)
  const relay = new PassthroughRelay(options)
  relay.push(Buffer.from(`: hello\n\n${STREAMS[OPENAI].head}`))
  t.same(outlet.told, ['frames'])
  t.equal(outlet.text, STREAMS[OPENAI].head)
  relay.push(Buffer.from(STREAMS[OPENAI].content[0] ?? ''))
  t.same(outlet.told, ['frames', 'content'])
  relay.push(Buffer.from(': later\n\n'))
  t.match(outlet.text, /: later/)
})

test('an error, a cut and the end each decide once; nothing passes after them', async (t) => {
  for (const wire of [OPENAI, ANTHROPIC] as const) {
    const { head, content, finish, marker, failure } = STREAMS[wire]
    const cases = [
      [head + content[0] + failure + content[1] + finish + marker, /^fail upstream/],
      [head + content[0] + finish, /^fail upstream_cut$/],
      [`${head}${content[0]}${marker.slice(0, 8)}`, /^fail upstream_cut$/],
      [head + content[0] + finish + marker + content[1] + failure, /^complete$/],
    ] as const
    for (const [text, last] of cases) {
      for (const size of [1, 100_000]) {
        const { options, outlet } = relayOptionsFor(wire, wire)
        feed(new PassthroughRelay(options), text, size)
        t.match(outlet.told.at(-1), last)
        t.equal(outlet.told.filter((each) => /fail|complete/.test(each)).length, 1)
        t.notOk(outlet.text.includes('lo, '), 'nothing after it')
        t.notOk(outlet.text.includes('It broke'), 'the error is told by us')
        t.equal(outlet.text.includes(STREAMS[wire].endMarker), last.test('complete'))
      }
    }
  }
})

test('a frame that is no JSON object ends the stream: what came before it passes, it and the end marker do not', async (t) => {
  for (const wire of [OPENAI, ANTHROPIC] as const) {
    const { head, content, finish, marker, endMarker } = STREAMS[wire]
    for (const broken of ['{"this is": not JSON', '{"a":{}},"b":{}}', 'null', 'hello']) {
      for (const size of [1, 100_000]) {
        const { options, outlet } = relayOptionsFor(wire, wire)
        feed(
          new PassthroughRelay(options),
          `${head}${content[0]}data: ${broken}\n\n${content[1]}${finish}${marker}`,
          size,
        )
        t.equal(outlet.text, head + content[0], `${wire} ${broken} by ${size}`)
        t.equal(outlet.told.at(-1), 'fail upstream_malformed')
        t.notOk(outlet.told.includes('complete') || outlet.text.includes(endMarker))
      }
    }
  }
})

test('comments, blank data and frames of unknown types pass', async (t) => {
  for (const wire of [OPENAI, ANTHROPIC] as const) {
    const { head, content, finish, marker } = STREAMS[wire]
    const odd = ': wait\n\ndata:  \n\nevent: news\ndata: {"type":"news","object":"news"}\n\n'
    const { options, outlet } = relayOptionsFor(wire, wire)
    feed(new PassthroughRelay(options), head + content[0] + odd + content[1] + finish + marker, 7)
    t.equal(outlet.told.at(-1), 'complete', wire)
    t.ok(outlet.text.includes(odd), wire)
  }
})

test('an error of ours continues the upstream’s own events, where its wire numbers them', async (t) => {
  const { options } = relayOptionsFor(OPENAI, OPENAI)
  t.equal(new PassthroughRelay(options).meter.encodeErrorFrame, undefined)
  const responses = PROTOCOLS.find(({ id }) => id === 'openai-responses')
  if (!responses?.surface || !responses.dialect) throw new Error('no such protocol')
  const relay = new PassthroughRelay({ ...options, surface: responses.surface, dialect: responses.dialect })
  const created = { type: 'response.created', sequence_number: 0, response: { id: 'resp_1', model: 'm' } }
  relay.push(
    Buffer.from(`data: ${JSON.stringify(created)}\n\ndata: {"type":"x.delta","sequence_number":7,"delta":"a"}\n\n`),
  )
  const frame = relay.meter.encodeErrorFrame?.(errorData('upstream_cut')) ?? ''
  t.match(frame, /"sequence_number":8}\n\n.*\n.*"id":"resp_1".*"sequence_number":9}\n\n$/)
})
