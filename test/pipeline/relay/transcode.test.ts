// Two protocols: frame to event to frame.
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { TranscodeRelay } from '../../../src/pipeline/relay/transcode.js'
import { type Surface } from '../../../src/protocols/contract/protocol.js'
import { ANTHROPIC, OPENAI, STREAMS } from '../../helpers/pipeline-wires.js'
import { feed, relayOptionsFor } from '../../helpers/relay.js'

const PAIRS = [
  [OPENAI, ANTHROPIC],
  [ANTHROPIC, OPENAI],
] as const

test('the last frame waits where the answer is to be stored, all before it pass', async (t) => {
  const { head, content, finish, marker } = STREAMS[ANTHROPIC]
  for (const size of [1, 64, 100_000]) {
    const own = { id: 'resp_ours', store: true }
    const { options, outlet } = relayOptionsFor('openai-responses', ANTHROPIC, { holdsEnd: true, echo: { own } })
    feed(new TranscodeRelay(options), head + content.join('') + finish + marker, size)
    t.match(outlet.text, /response\.created.*resp_ours[\s\S]*response\.output_item\.done/)
    t.notMatch(outlet.text, /response\.completed/)
    t.match(outlet.last, /^event: response\.completed\ndata: .*"id":"resp_ours"[\s\S]*\n\n$/)
    t.equal(outlet.told.at(-1), 'complete')
  }
})

test('a stream comes out in the client’s form, the same wherever it is cut', async (t) => {
  for (const [surface, wire] of PAIRS) {
    const { head, content, finish, marker } = STREAMS[wire]
    const outputs = [1, 5, 64, 100_000].map((size) => {
      const { options, outlet } = relayOptionsFor(surface, wire)
      const relay = new TranscodeRelay(options)
      feed(relay, head + content.join('') + finish + marker, size)
      t.equal(outlet.told.at(-1), 'complete')
      t.match(relay.meter.usage, { inputTokens: 11, outputTokens: 7 })
      t.equal(relay.meter.finish, 'stop')
      t.equal(relay.meter.contentBytes, 'Hello, you'.length)
      return outlet.text
    })
    t.equal(new Set(outputs).size, 1)
    for (const part of ['Hel', 'lo, ', 'you', STREAMS[surface].endMarker]) t.ok(outputs[0]?.includes(part), part)
  }
})

test('distinguishes frames before content from content', async (t) => {
  const { options, outlet } = relayOptionsFor(ANTHROPIC, OPENAI)
  const relay = new TranscodeRelay(options)
  relay.push(Buffer.from(STREAMS[OPENAI].head))
  t.notOk(outlet.told.includes('content'))
  relay.push(Buffer.from(STREAMS[OPENAI].content[0] ?? ''))
  t.ok(outlet.told.includes('content'))
})

test('an error and a cut end it without an end marker, and nothing follows', async (t) => {
  for (const [surface, wire] of PAIRS) {
    const { head, content, finish, marker, failure } = STREAMS[wire]
    for (const text of [head + content[0] + failure + content[1] + finish + marker, head + content[0]]) {
      const { options, outlet } = relayOptionsFor(surface, wire)
      feed(new TranscodeRelay(options), text)
      t.match(outlet.told.at(-1), /^fail upstream/)
      t.equal(outlet.told.filter((each) => /fail|complete/.test(each)).length, 1)
      t.notOk(outlet.text.includes(STREAMS[surface].endMarker))
      t.notOk(outlet.text.includes('lo, '))
    }
  }
})

test('content that the client’s form leaves out is progress all the same', async (t) => {
  const { options, outlet } = relayOptionsFor('prompt-stream', OPENAI)
  const relay = new TranscodeRelay(options)
  const { head, content, finish, marker } = STREAMS[OPENAI]
  const thinking = content[0].replace('"content"', '"reasoning_content"')
  relay.push(Buffer.from(head))
  t.same(outlet.told, [])
  relay.push(Buffer.from(thinking))
  t.same(outlet.told, ['progress'])
  t.equal(outlet.text, '')
  feed(relay, content.join('') + finish + marker)
  t.equal(outlet.text, '{"result":"Hello, you"}')
})

test('a frame that is no JSON object ends it without an end marker, though that of the upstream comes', async (t) => {
  for (const [surface, wire] of PAIRS) {
    const { head, content, finish, marker } = STREAMS[wire]
    const { options, outlet } = relayOptionsFor(surface, wire)
    feed(new TranscodeRelay(options), `${head}${content[0]}data: {"a":}\n\n${content[1]}${finish}${marker}`)
    t.equal(outlet.told.at(-1), 'fail upstream_malformed')
    t.ok(outlet.text.includes('Hel'))
    t.notOk(outlet.text.includes('lo, ') || outlet.text.includes(STREAMS[surface].endMarker))
  }
})

test('an error frame is the encoder’s own, if it has one, and a stream gets what it needs of its request', async (t) => {
  const { options } = relayOptionsFor(OPENAI, ANTHROPIC)
  t.equal(new TranscodeRelay(options).meter.encodeErrorFrame, undefined)
  const seen: unknown[] = []
  const surface: Surface = {
    ...options.surface,
    createEncoder: (_, { echo }) => {
      seen.push(echo)
      let pushed = 0
      return {
        push: () => {
          pushed += 1
        },
        encodeErrorFrame: ({ code }) => `${code} after ${pushed}`,
      }
    },
  }
  const relay = new TranscodeRelay({ ...options, surface, echo: { x: 1 } })
  relay.push(Buffer.from(STREAMS[ANTHROPIC].head))
  t.equal(relay.meter.encodeErrorFrame?.(errorData('upstream_cut')), 'upstream_cut after 2')
  t.same(seen, [{ x: 1 }])
})

test('what the client’s form has no place for is named before the end: in a comment of SSE, and for the log', async (t) => {
  const { head, finish, marker } = STREAMS[ANTHROPIC]
  const cite = {
    type: 'content_block_delta',
    index: 0,
    delta: { type: 'citations_delta', citation: { type: 'char_location' } },
  }
  const citing = `${STREAMS[ANTHROPIC].content.join('')}event: ${cite.type}\ndata: ${JSON.stringify(cite)}\n\n`
  for (const size of [1, 100_000]) {
    const { options, outlet } = relayOptionsFor(OPENAI, ANTHROPIC)
    feed(new TranscodeRelay(options), head + citing + finish + marker, size)
    t.same(outlet.dropped, ['citations'])
    t.match(outlet.text, /: x-sluice-dropped: citations\ndata: .*"finish_reason":"stop"/)
    t.equal(outlet.told.at(-1), 'complete')
  }
  const lines = relayOptionsFor('ollama-chat', ANTHROPIC)
  feed(new TranscodeRelay(lines.options), head + citing + finish + marker)
  t.same(lines.outlet.dropped, ['citations'])
  t.notMatch(lines.outlet.text, /dropped/)
  const own = { id: 'resp_ours', store: true }
  const stored = relayOptionsFor('openai-responses', ANTHROPIC, { holdsEnd: true, echo: { own } })
  feed(new TranscodeRelay(stored.options), head + citing + finish + marker)
  t.match(stored.outlet.text, /: x-sluice-dropped: citations\nevent: response\.output_text\.done/)
  t.match(stored.outlet.last, /^event: response\.completed/)
})

test('sources that the client’s form has are not named', async (t) => {
  const { head, content, finish, marker } = STREAMS[ANTHROPIC]
  const citation = { type: 'web_search_result_location', url: 'https://a', title: 'A' }
  const cite = { type: 'content_block_delta', index: 0, delta: { type: 'citations_delta', citation } }
  const { options, outlet } = relayOptionsFor(OPENAI, ANTHROPIC)
  feed(new TranscodeRelay(options), `${head}${content.join('')}data: ${JSON.stringify(cite)}\n\n${finish}${marker}`)
  t.match(outlet.text, '"annotations":[{"type":"url_citation"')
  t.same(outlet.dropped, [])
  t.notMatch(outlet.text, /x-sluice-dropped/)
})

test('a block that the client’s form has no place for is left out whole, and the others keep their numbers', async (t) => {
  const { head, content, finish, marker } = STREAMS[ANTHROPIC]
  const search = { type: 'server_tool_use', id: 's', name: 'web_search', input: {} }
  const searching = [
    { type: 'content_block_start', index: 7, content_block: search },
    { type: 'content_block_delta', index: 7, delta: { type: 'input_json_delta', partial_json: '{"query":"x"}' } },
    { type: 'content_block_stop', index: 7 },
  ].map((frame) => `data: ${JSON.stringify(frame)}\n\n`)
  const { options, outlet } = relayOptionsFor(OPENAI, ANTHROPIC)
  feed(new TranscodeRelay(options), head + content.join('') + searching.join('') + finish + marker)
  t.same(outlet.dropped, ['server_tool_use'])
  t.match(outlet.text, /Hel/)
  t.notMatch(outlet.text, /web_search/)
  const image = `data: ${JSON.stringify({ choices: [{ delta: { images: [{ image_url: { url: 'https://a' } }] } }] })}\n\n`
  const painted = relayOptionsFor(ANTHROPIC, OPENAI)
  const chat = STREAMS[OPENAI]
  feed(new TranscodeRelay(painted.options), chat.head + image + chat.content.join('') + chat.finish + chat.marker)
  t.same(painted.outlet.dropped, ['images'])
  t.match(painted.outlet.text, /"type":"content_block_start","index":0/)
  t.notMatch(painted.outlet.text, /"index":-?1/)
  t.equal(painted.outlet.text.match(/"type":"content_block_stop"/g)?.length, 1)
})

test('an image is content: the stream begins with it', async (t) => {
  const image = `data: ${JSON.stringify({ choices: [{ delta: { images: [{ image_url: { url: 'https://a' } }] } }] })}\n\n`
  const { options, outlet } = relayOptionsFor('conversation-chat', OPENAI)
  const relay = new TranscodeRelay(options)
  relay.push(Buffer.from(STREAMS[OPENAI].head))
  t.notOk(outlet.told.includes('content'))
  relay.push(Buffer.from(image))
  t.ok(outlet.told.includes('content'))
})
