// One protocol, two framings: payloads pass as they are.
import { test } from 'tap'
import { ReframeRelay } from '../../../src/pipeline/relay/reframe.js'
import { ANTHROPIC, OPENAI, STREAMS } from '../../helpers/pipeline-wires.js'
import { feed, relayOptionsFor } from '../../helpers/relay.js'

const FRAMES = { first: '[', next: ',', end: ']' }

const payloads = (text: string) => [...text.matchAll(/^data: (\{.*)$/gm)].map(([, payload = '']) => payload)

test('the payloads of the upstream are one document, wherever the stream is cut', async (t) => {
  const { head, content, finish, marker } = STREAMS[ANTHROPIC]
  const text = head + content.join('') + finish + marker
  for (const size of [1, 2, 7, 64, 100_000]) {
    const { options, outlet } = relayOptionsFor(ANTHROPIC, ANTHROPIC)
    const relay = new ReframeRelay(options, FRAMES)
    feed(relay, text, size)
    t.equal(outlet.text, `[${payloads(text).join(',')}]`, `by ${size}`)
    t.ok(Array.isArray(JSON.parse(outlet.text)))
    t.equal(outlet.told.at(-1), 'complete')
    t.match(relay.meter.usage, { inputTokens: 11, outputTokens: 7 })
  }
})

test('frames before content are told apart, and usage that was not asked for is taken out', async (t) => {
  const { head, content, finish, marker } = STREAMS[OPENAI]
  const { options, outlet } = relayOptionsFor(OPENAI, OPENAI)
  const relay = new ReframeRelay(options, FRAMES)
  relay.push(Buffer.from(head))
  t.same(outlet.told, ['frames'])
  relay.push(Buffer.from(content[0] ?? ''))
  t.same(outlet.told, ['frames', 'content'])
  relay.push(Buffer.from(finish + marker))
  relay.push(Buffer.from(content[1] ?? ''))
  relay.end()
  t.notMatch(outlet.text, /prompt_tokens/)
  t.equal(outlet.told.at(-1), 'complete')
})

test('an error and a cut end it without the end of the document', async (t) => {
  const { head, content, failure } = STREAMS[ANTHROPIC]
  for (const [text, last] of [
    [head + content[0] + failure + content[1], /^fail upstream/],
    [head + content[0], /^fail upstream_cut$/],
  ] as const) {
    for (const size of [1, 100_000]) {
      const { options, outlet } = relayOptionsFor(ANTHROPIC, ANTHROPIC)
      feed(new ReframeRelay(options, FRAMES), text, size)
      t.match(outlet.told.at(-1), last)
      t.equal(outlet.text, `[${payloads(head + content[0]).join(',')}`)
    }
  }
})

test('a stream without any frame is an empty document where it may be one', async (t) => {
  const { options, outlet } = relayOptionsFor(OPENAI, OPENAI)
  feed(new ReframeRelay(options, FRAMES), 'data: [DONE]\n\n')
  t.match(outlet.told.at(-1), /complete/)
  t.ok(Array.isArray(JSON.parse(outlet.text)))
})
