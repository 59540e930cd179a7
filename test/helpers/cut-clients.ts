// Clients that ask for an echo over connections that are cut at random, and give back the text they got: the official libraries with
// `resumingFetch`, an EventSource to the letter of its standard, and a SluiceSocket.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { WebSocket } from 'ws'
import { resumingFetch, SluiceSocket } from '../../src/client/index.js'
import { type Cut } from './cutting-proxy.js'
import { type Random } from './random.js'

/** Where they ask, through what cuts. */
export type CutGround = {
  readonly origin: string
  readonly key: string
  /** Told of each connection that replaced a lost one. */
  readonly onResume: () => void
}

export type CutClient = (ground: CutGround, model: string, text: string) => Promise<string>

/** Nine of ten connections end within this; some before their head, most in the middle of an answer of sixty words. */
const MOST_BYTES = 9000
const RECONNECT_MS = 20
/** No client of this rig needs so many. */
const MAX_CONNECTIONS = 200

export const CUT_CLIENTS: Readonly<Record<string, CutClient>> = {
  openai: askOpenAi,
  anthropic: askAnthropic,
  eventSource,
  socket,
}

/** What becomes of the connections, by chance. */
export function cutsBy(random: Random): () => Cut | null {
  return () => {
    if (random.below(10) < 1) return null
    return { afterBytes: Math.floor(random.below(MOST_BYTES)), how: random.below(2) < 1 ? 'fin' : 'rst' }
  }
}

/** So many words, no two alike, in which a lost or doubled one shows. */
export function wordsOf(random: Random, count: number): string {
  return Array.from(
    { length: count },
    (_, i) =>
      `${i}-${random
        .below(2 ** 31)
        .toString(36)
        .slice(0, 5)}ż`,
  ).join(' ')
}

async function askOpenAi({ origin, key, onResume }: CutGround, model: string, text: string): Promise<string> {
  const client = new OpenAI({ apiKey: key, baseURL: `${origin}/v1`, maxRetries: 0, fetch: resumingFetch({ onResume }) })
  const stream = await client.chat.completions.create({
    model,
    stream: true,
    messages: [{ role: 'user', content: text }],
  })
  let answer = ''
  for await (const chunk of stream) answer += chunk.choices[0]?.delta.content ?? ''
  return answer
}

async function askAnthropic({ origin, key, onResume }: CutGround, model: string, text: string): Promise<string> {
  const client = new Anthropic({ apiKey: key, baseURL: origin, maxRetries: 0, fetch: resumingFetch({ onResume }) })
  const stream = client.messages.stream({
    model,
    max_tokens: 10_000,
    messages: [{ role: 'user', content: text }],
  })
  const { content } = await stream.finalMessage()
  return content.map((block) => (block.type === 'text' ? block.text : '')).join('')
}

/** WHATWG HTML, 9.2: reconnects after every end with the last id, clean ends included, until it is answered with 204. */
async function eventSource({ origin, key, onResume }: CutGround, model: string, text: string): Promise<string> {
  const id = await openStream(origin, key, { model, stream: true, messages: [{ role: 'user', content: text }] })
  let answer = ''
  let lastId = ''
  for (let i = 0; i < MAX_CONNECTIONS; i++) {
    const headers = { authorization: `Bearer ${key}`, ...(lastId === '' ? {} : { 'last-event-id': lastId }) }
    const response = await fetch(`${origin}/v1/streams/${id}`, { headers }).catch(() => null)
    if (response?.status === 204) return answer
    if (response !== null && response.status !== 200) throw new Error(`status ${response.status}`)
    let rest = ''
    try {
      for await (const text of response?.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        rest += text
        const frames = rest.split('\n\n')
        rest = frames.pop() ?? ''
        for (const frame of frames) {
          lastId = /^id: ?(.*)$/m.exec(frame)?.[1] ?? lastId
          const payload = /^data: ?(.*)$/m.exec(frame)?.[1] ?? '[DONE]'
          if (payload !== '[DONE]') answer += JSON.parse(payload).choices[0]?.delta.content ?? ''
        }
      }
    } catch {
      // It was cut; what is not a whole frame is dropped.
    }
    onResume()
    await sleep(RECONNECT_MS)
  }
  throw new Error('too many connections')
}

/** The id of a stream that is opened and left, as a page gets it from its server. */
async function openStream(origin: string, key: string, body: object): Promise<string> {
  const headers = {
    'content-type': 'application/json',
    authorization: `Bearer ${key}`,
    'x-sluice-resume': '1',
    'idempotency-key': randomUUID(),
  }
  const init = { method: 'POST', headers, body: JSON.stringify(body) }
  for (let i = 0; i < MAX_CONNECTIONS; i++) {
    const response = await fetch(`${origin}/v1/chat/completions`, init).catch(() => null)
    const id = response?.headers.get('x-sluice-stream')
    await response?.body?.cancel().catch(() => undefined)
    if (id) return id
    // The first one is under way where this one cannot reach it.
    if (response?.status === 409) await sleep(RECONNECT_MS)
    else if (response !== null) throw new Error(`status ${response.status} without a stream`)
  }
  throw new Error('too many connections')
}

async function socket({ origin, key, onResume }: CutGround, model: string, text: string): Promise<string> {
  const many = new SluiceSocket(`${origin.replace('http', 'ws')}/v1/ws`, { WebSocket, token: () => key })
  const chat = many.chat({ model, messages: [{ role: 'user', content: text }] })
  chat.on('resumed', onResume)
  try {
    let answer = ''
    for await (const chunk of chat) answer += chunk.choices[0]?.delta.content ?? ''
    const { outcome } = await chat.result
    if (outcome !== 'complete') throw new Error(`outcome ${outcome}`)
    return answer
  } finally {
    many.close()
  }
}
