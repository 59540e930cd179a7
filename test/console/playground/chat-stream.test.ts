// A chat as the playground reads it, from a response whose bytes are cut anywhere.
import { test } from 'tap'
import { allApis } from '../../../src/console/playground/apis/all-apis.js'
import { type ChatApi } from '../../../src/console/playground/chat-api.js'
import { type ChatFacts, readChat } from '../../../src/console/playground/chat-stream.js'

const [CHAT] = allApis()
const frame = (chunk: object | string): string =>
  `data: ${typeof chunk === 'string' ? chunk : JSON.stringify(chunk)}\n\n`
const delta = (members: object, reason: string | null = null) => ({
  choices: [{ delta: members, finish_reason: reason }],
})

/** Reads these bytes in pieces of so many; each look at the clock is `stepMs` later. */
async function read(
  text: string,
  { pieceBytes = 7, status = 200, stepMs = 10, api = CHAT as Pick<ChatApi, 'read' | 'framing'> } = {},
) {
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
    nowMs += stepMs
    return nowMs
  }
  const onText = (kind: 'answer' | 'thinking', more: string) => {
    seen[kind] += more
  }
  const end = await readChat(
    { api, send: async () => new Response(body, { status }), nowMs: clock },
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
  t.equal(last?.tokensPerSec, null, 'all came at once, which is no rate')
  t.equal((await read(frames.join(''), { stepMs: 100 })).last?.tokensPerSec, 20)
})

test('reads lines where the API has no events', async (t) => {
  const api = { ...CHAT, framing: 'ndjson' } as const
  const { end, seen } = await read(`${JSON.stringify(delta({ content: 'Flüsse' }, 'stop'))}\n\n[DONE]`, { api })
  t.same([end, seen.answer], [{ kind: 'complete', finishReason: 'stop' }, 'Flüsse'])
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
  const refusal = await read('{"error":{"message":"No such model."}}', { status: 404 })
  t.same(refusal.end, { kind: 'failed', message: '404: No such model.' })
  const plain = await read('{"error":"No such model."}', { status: 404 })
  t.same(plain.end, { kind: 'failed', message: '404: No such model.' })
  t.same((await read('<html>', { status: 502 })).end, { kind: 'failed', message: 'The answer was 502.' })
})

test('an aborted request is stopped, a lost connection failed', async (t) => {
  const events = { onText: () => {}, onFacts: () => {} }
  const ended = (thrown: Error) => readChat({ api: CHAT, send: () => Promise.reject(thrown), nowMs: () => 0 }, events)
  t.same(await ended(new DOMException('x', 'AbortError')), { kind: 'stopped' })
  t.match(await ended(new TypeError('Failed to fetch')), { kind: 'failed', message: /Failed to fetch/ })
})
