// Neither side streams.
import { test } from 'tap'
import { WholeRelay } from '../../../src/pipeline/relay/whole.js'
import { refusalOf } from '../../helpers/limiter-setup.js'
import { ANTHROPIC, OPENAI, surfaceOf, WHOLES } from '../../helpers/pipeline-wires.js'
import { feed, relayOptionsFor } from '../../helpers/relay.js'

test('the bytes are handed on as they came, whatever the cuts, with their usage read', async (t) => {
  for (const wire of [OPENAI, ANTHROPIC] as const) {
    for (const kind of ['forward', 'translate'] as const) {
      const { options, outlet } = relayOptionsFor(wire, wire)
      const relay = new WholeRelay(options, kind)
      const body = `\r\n ${WHOLES[wire]} \n`
      feed(relay, body, 11)
      t.same(outlet.told, [kind])
      t.equal(outlet.body, body)
      t.match(relay.meter.usage, { inputTokens: 11, outputTokens: 7 })
      t.equal(relay.meter.finish, 'stop')
    }
  }
})

test('what is not an object from brace to brace is malformed', async (t) => {
  for (const body of ['', ' ', '{', '}', '[]', '"{}"', '{"a":1', '<html></html>', '{}x']) {
    const { options, outlet } = relayOptionsFor(OPENAI, OPENAI)
    const relay = new WholeRelay(options, 'forward')
    t.equal(refusalOf(() => feed(relay, body))?.code, 'upstream_malformed', body)
    t.same(outlet.told, [])
  }
})

test("what a client asked for in the upstream's own words may be anything, and only objects are counted", async (t) => {
  for (const body of ['', '[1]', 'RIFF....', WHOLES[OPENAI]]) {
    const { options, outlet } = relayOptionsFor(OPENAI, OPENAI, {
      isDelimited: false,
      raw: { framing: 'sse', conceal: (bytes: Buffer) => bytes },
    })
    const relay = new WholeRelay(options, 'forward')
    feed(relay, body, 3)
    t.equal(outlet.body, body)
    t.equal(relay.meter.contentBytes, body.startsWith('{') ? body.length : 0)
  }
})

test('a whole answer in the upstream’s own words shows no secret', (t) => {
  const conceal = (bytes: Buffer) => Buffer.from(bytes.toString().replaceAll('sk-secret', '***'))
  const { options, outlet } = relayOptionsFor(OPENAI, OPENAI, { isDelimited: false, raw: { framing: 'sse', conceal } })
  feed(new WholeRelay(options, 'forward'), 'the key sk-secret', 3)
  t.equal(outlet.body, 'the key ***')
  t.end()
})

test('a body that ends with its connection at an inner brace is cut, not complete', async (t) => {
  const truncated = '{"choices":[{"message":{"content":"Hel"}'
  const { options, outlet } = relayOptionsFor(OPENAI, OPENAI, { isDelimited: false })
  t.equal(refusalOf(() => feed(new WholeRelay(options, 'forward'), truncated))?.code, 'upstream_cut')
  t.same(outlet.told, [])
  feed(new WholeRelay(options, 'forward'), WHOLES[OPENAI])
  t.same(outlet.told, ['forward'])
})

test('more than a whole answer may be is malformed', async (t) => {
  const { options } = relayOptionsFor(OPENAI, OPENAI, { maxResponseBytes: 10 })
  const relay = new WholeRelay(options, 'forward')
  t.equal(refusalOf(() => relay.push(Buffer.alloc(11)))?.code, 'upstream_malformed')
})

test('an answer that passes is edited only if it is not in the form that was asked for', (t) => {
  const isAsAsked = (answer: Buffer, echo: object) => 'any' in echo || answer.includes('right')
  const endpoint = { ...surfaceOf('openai-embeddings').endpoint, embeddings: { isAsAsked } } as never
  const raw = { framing: 'sse', conceal: (bytes: Buffer) => bytes, endpoint } as const
  const kindOf = (body: string, echo: { any: true } | null) => {
    const { options, outlet } = relayOptionsFor('openai-embeddings', OPENAI, { raw, echo })
    feed(new WholeRelay(options, 'forward'), body)
    return outlet.told
  }
  t.same(kindOf('{"right":1}', null), ['forward'])
  t.same(kindOf('{"wrong":1}', null), ['translate'])
  t.same(kindOf('{"wrong":1}', { any: true }), ['forward'])
  t.end()
})
