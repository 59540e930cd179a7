// The upstream streams, the client wants one answer.
import { test } from 'tap'
import { CollectRelay } from '../../../src/pipeline/relay/collect.js'
import { refusalOf } from '../../helpers/limiter-setup.js'
import { ANTHROPIC, OPENAI, STREAMS } from '../../helpers/pipeline-wires.js'
import { feed, relayOptionsFor } from '../../helpers/relay.js'

test('all frames are handed on at the end marker, once; content on the way shows that it lives', async (t) => {
  for (const wire of [OPENAI, ANTHROPIC] as const) {
    const { head, content, finish, marker } = STREAMS[wire]
    const text = head + content.join('') + finish + marker
    for (const size of [1, 100_000]) {
      const { options, outlet } = relayOptionsFor(OPENAI, wire)
      const relay = new CollectRelay(options)
      feed(relay, text, size)
      t.same(outlet.told, ['progress', 'frames'])
      t.ok(outlet.body.startsWith(head + content.join('') + finish))
      t.match(relay.meter.usage, { inputTokens: 11, outputTokens: 7 })
      t.equal(relay.meter.finish, 'stop')
      t.ok(relay.meter.contentBytes > 0)
    }
  }
})

test('an error or a cut fails it', async (t) => {
  const { head, content, failure, marker } = STREAMS[OPENAI]
  for (const text of [head + content[0] + failure + marker, head + content[0]]) {
    const { options, outlet } = relayOptionsFor(OPENAI, OPENAI)
    feed(new CollectRelay(options), text)
    t.match(outlet.told, ['progress', /^fail upstream/])
  }
})

test('a frame that is no JSON object fails it, though the end marker comes', async (t) => {
  for (const wire of [OPENAI, ANTHROPIC] as const) {
    const { head, content, finish, marker } = STREAMS[wire]
    const { options, outlet } = relayOptionsFor(OPENAI, wire)
    const relay = new CollectRelay(options)
    feed(relay, `${head}${content[0]}data: {"a":}\n\n${content[1]}${finish}${marker}`)
    t.match(outlet.told.at(-1), 'fail upstream_malformed', wire)
    t.equal(relay.meter.contentBytes, 'Hel'.length, 'nothing behind it is counted')
    t.notOk(outlet.told.includes('frames'))
  }
})

test('a stream that ends by its finish reason alone is complete where the vendor sends no marker', async (t) => {
  const { options, outlet } = relayOptionsFor(OPENAI, OPENAI)
  const target = { ...options.target, quirks: { ...options.target.quirks, doneMarker: false } }
  feed(new CollectRelay({ ...options, target }), STREAMS[OPENAI].content[0] + STREAMS[OPENAI].finish)
  t.same(outlet.told, ['progress', 'frames'])
})

test('more than a whole answer may be is malformed', async (t) => {
  const { options } = relayOptionsFor(OPENAI, OPENAI, { maxResponseBytes: 300 })
  const relay = new CollectRelay(options)
  const push = () => relay.push(Buffer.from(STREAMS[OPENAI].content[0] ?? ''))
  push()
  t.match(
    refusalOf(() => {
      push()
      push()
    }),
    { code: 'upstream_malformed', retryable: false },
  )
})
