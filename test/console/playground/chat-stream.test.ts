// A chat as the playground reads it, from a response whose bytes are cut anywhere.
import { test } from 'tap'
import { CHAT_APIS } from '../../../src/console/playground/chat-api.js'
import { type ChatFacts, readChat } from '../../../src/console/playground/chat-stream.js'

const frame = (chunk: object | string): string =>
  `data: ${typeof chunk === 'string' ? chunk : JSON.stringify(chunk)}\n\n`
const delta = (members: object, reason: string | null = null) => ({
  choices: [{ delta: members, finish_reason: reason }],
})

/** Reads these bytes in pieces of so many; each look at the clock is 10 ms later. */
async function read(text: string, pieceBytes = 7, status = 200) {
  const bytes = new TextEncoder().encode(text)
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < bytes.length; at += pieceBytes) controller.enqueue(bytes.subarray(at, at + pieceBytes))
      controller.close()
    },
  })
  const seen = { answer: '', thinking: '' }
  const facts: ChatFacts[] = []
  let nowMs = 0
  const clock = () => {
    nowMs += 10
    return nowMs
  }
  const onText = (kind: 'answer' | 'thinking', more: string) => {
    seen[kind] += more
  }
  const end = await readChat(
    { api: CHAT_APIS[0], send: async () => new Response(body, { status }), nowMs: clock },
    { onText, onFacts: (fact) => facts.push(fact) },
  )
  return { end, seen, last: facts.at(-1) }
}

test('reads text, thoughts and reported usage to the end marker', async (t) => {
  const frames = [
    ': keepalive\n\n',
    frame(delta({ role: 'assistant', reasoning_content: 'hm' })),
    frame(delta({ content: 'Flüsse' })),
    frame(delta({ content: ' fließen' }, 'stop')),
    frame({ choices: [], usage: { completion_tokens: 9 } }),
    frame('[DONE]'),
  ]
  const { end, seen, last } = await read(frames.join(''))
  t.same(end, { kind: 'complete', finishReason: 'stop' })
  t.same(seen, { answer: 'Flüsse fließen', thinking: 'hm' })
  t.match(last, { firstTokenMs: 10, tokens: 9, isReported: true })
  t.ok((last?.tokensPerSec ?? 0) > 0)
})

test('counts frames until usage is reported, and shows calls of tools', async (t) => {
  const call = { tool_calls: [{ function: { name: 'look_up', arguments: '{"a"' } }] }
  const more = { tool_calls: [{ function: { arguments: ':1}' } }] }
  const { seen, last } = await read(frame(delta(call)) + frame(delta(more)) + frame('[DONE]'))
  t.equal(seen.answer, 'look_up {"a":1}')
  t.match(last, { tokens: 2, isReported: false })
})

test('a stream without its marker, an error in it and a refusal are failures in their own words', async (t) => {
  t.match((await read(frame(delta({ content: 'a' })))).end, { kind: 'failed', message: /without its end marker/ })
  t.match((await read(frame({ error: { message: 'cut off' } }))).end, { kind: 'failed', message: 'cut off' })
  const strange = await read(frame({ error: { message: { text: 'cut off' } } }))
  t.same(strange.end, { kind: 'failed', message: 'The stream failed.' })
  const refusal = await read('{"error":{"message":"No such model."}}', 9, 404)
  t.same(refusal.end, { kind: 'failed', message: '404: No such model.' })
  t.same((await read('<html>', 9, 502)).end, { kind: 'failed', message: 'The answer was 502.' })
})

test('an aborted request is stopped, a lost connection failed', async (t) => {
  const events = { onText: () => {}, onFacts: () => {} }
  const ended = (thrown: Error) =>
    readChat({ api: CHAT_APIS[0], send: () => Promise.reject(thrown), nowMs: () => 0 }, events)
  t.same(await ended(new DOMException('x', 'AbortError')), { kind: 'stopped' })
  t.match(await ended(new TypeError('Failed to fetch')), { kind: 'failed', message: /Failed to fetch/ })
})
