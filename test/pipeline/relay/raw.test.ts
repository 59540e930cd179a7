// Frames of whatever answer, as they came.
import { test } from 'tap'
import { RawRelay } from '../../../src/pipeline/relay/raw.js'
import { OPENAI, STREAMS } from '../../helpers/pipeline-wires.js'
import { feed, relayOptionsFor } from '../../helpers/relay.js'

const same = (bytes: Buffer) => bytes

test('every frame passes at once, comments and unknown ones too, wherever they are cut, and the end is that of the body', async (t) => {
  const { head, content, finish, marker } = STREAMS[OPENAI]
  const text = `: hi\n\nevent: x\ndata: {"type":"response.created"}\n\n${head}${content.join('')}${finish}${marker}data: {"late":1}\n\n`
  for (const size of [1, 7, 100_000]) {
    const { options, outlet } = relayOptionsFor(OPENAI, OPENAI)
    const relay = new RawRelay(options, { framing: 'sse', conceal: same })
    feed(relay, text, size)
    t.equal(outlet.text, text, `by ${size}`)
    t.equal(outlet.told.at(-1), 'complete')
    t.notMatch(outlet.told.join(), 'frames,', 'all of it counts as content')
    t.match(relay.meter.usage, { inputTokens: 11, outputTokens: 7 })
    t.equal(relay.meter.finish, 'stop')
  }
})

test('an answer in another framing is not looked into', async (t) => {
  const { options, outlet } = relayOptionsFor(OPENAI, OPENAI)
  const relay = new RawRelay(options, { framing: 'ndjson', conceal: same })
  feed(relay, '{"error":{"message":"x"}}\n{"b":2}\n', 3)
  t.equal(outlet.text, '{"error":{"message":"x"}}\n{"b":2}\n')
  t.same([relay.meter.usage, relay.meter.contentBytes], [null, 0])
})

test('an error in the stream is the last that is heard of it', async (t) => {
  const { options, outlet } = relayOptionsFor(OPENAI, OPENAI)
  feed(
    new RawRelay(options, { framing: 'sse', conceal: same }),
    'data: {"a":1}\n\ndata: {"error":{"message":"x"}}\n\ndata: {"b":2}\n\n',
  )
  t.equal(outlet.text, 'data: {"a":1}\n\n')
  t.equal(outlet.error?.message, 'x')
  t.notOk(outlet.told.includes('complete'))
})

test('frames need not be JSON: what the upstream says is its own affair', async (t) => {
  const { options, outlet } = relayOptionsFor(OPENAI, OPENAI)
  const text = 'data: {"this is": not JSON\n\ndata: hello\n\ndata: [DONE]\n\n'
  feed(new RawRelay(options, { framing: 'sse', conceal: same }), text)
  t.equal(outlet.text, text)
  t.equal(outlet.told.at(-1), 'complete')
})

test('each frame goes out as it is concealed', async (t) => {
  const { options, outlet } = relayOptionsFor(OPENAI, OPENAI)
  const conceal = (bytes: Buffer) => Buffer.from(bytes.toString().replace('secret', '***'))
  feed(new RawRelay(options, { framing: 'ndjson', conceal }), '{"a":"secret"}\n{"b":2}\n', 5)
  t.equal(outlet.text, '{"a":"***"}\n{"b":2}\n')
})
