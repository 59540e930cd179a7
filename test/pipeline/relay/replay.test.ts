// The client streams, the upstream answered whole.
import { test } from 'tap'
import { ReplayRelay } from '../../../src/pipeline/relay/replay.js'
import { refusalOf } from '../../helpers/limiter-setup.js'
import { ANTHROPIC, OPENAI, STREAMS, WHOLES } from '../../helpers/pipeline-wires.js'
import { feed, relayOptionsFor } from '../../helpers/relay.js'

test('a whole answer becomes a stream of the client’s form', async (t) => {
  for (const surface of [OPENAI, ANTHROPIC] as const) {
    for (const wire of [OPENAI, ANTHROPIC] as const) {
      const { options, outlet } = relayOptionsFor(surface, wire)
      const relay = new ReplayRelay(options)
      feed(relay, WHOLES[wire], 10)
      t.same(outlet.told, ['content', 'complete'])
      t.match(outlet.text, 'Hello, you')
      t.ok(outlet.text.includes(STREAMS[surface].endMarker))
      t.match(relay.meter.usage, { inputTokens: 11, outputTokens: 7 })
      t.equal(relay.meter.finish, 'stop')
      t.equal(relay.meter.contentBytes, 'Hello, you'.length)
    }
  }
})

test('what is no answer is malformed, and nothing of it is shown', async (t) => {
  for (const body of ['', '[]', '{"choices":', '<html>']) {
    const { options, outlet } = relayOptionsFor(OPENAI, OPENAI)
    const relay = new ReplayRelay(options)
    t.equal(refusalOf(() => feed(relay, body))?.code, 'upstream_malformed', body)
    t.same(outlet.told, [])
  }
})

test('a secret that the upstream shows in it reaches no client', (t) => {
  const conceal = (bytes: Uint8Array) => Buffer.from(Buffer.from(bytes).toString().replaceAll('Hello', '***'))
  const { options, outlet } = relayOptionsFor(OPENAI, ANTHROPIC, { conceal })
  feed(new ReplayRelay(options), WHOLES[ANTHROPIC], 10)
  t.match(outlet.text, '***, you')
  t.notMatch(outlet.text, /Hello/)
  t.end()
})

test('what the client’s form has no place for is left out and named before the stream begins', async (t) => {
  const { options, outlet } = relayOptionsFor('ollama-chat', ANTHROPIC)
  const citations = [{ type: 'char_location', cited_text: 'x' }]
  const body = { type: 'message', content: [{ type: 'text', text: 'Hello', citations }], stop_reason: 'end_turn' }
  feed(new ReplayRelay(options), JSON.stringify(body))
  t.same(outlet.dropped, ['citations'])
  t.match(outlet.text, 'Hello')
  t.same(outlet.told, ['content', 'complete'])
})
