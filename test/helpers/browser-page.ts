// What the page of browser.ts does: it runs in the browser, as it is compiled, with the built bundle in the place of src/client. No other
// file imports it but for its types. Each function is one job of a test, and gives back what the page saw.
import { ChatFailedError, resumingFetch, SluiceSocket, StreamLostError } from '../../src/client/index.js'

/** A gateway as the page reaches it, what it asks, and of which model. */
export type PageCall = { readonly origin: string; readonly key: string; readonly model: string; readonly text: string }

/** What an EventSource saw until it stopped. */
export type Followed = {
  text: string
  /** Last event id of each event. */
  readonly ids: string[]
  opens: number
  errors: number
  /** 2 is CLOSED. */
  readyState: number
  /** What its last error event says beside its name. */
  said: string
}

const CLOSED = 2
/** The pauses between the attempts of a client are the shortest that may be drawn. */
const HASTY = { random: () => 0 }
/** An EventSource that comes back more often does not stop by itself. */
const MOST_ERRORS = 30

/** The link of a kept stream, read from a page of another origin; null if the page cannot see it. The answer itself is left. */
export async function openKept({ origin, key, model, text }: PageCall): Promise<string | null> {
  const answer = await fetch(`${origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, 'x-sluice-resume': '1' },
    body: bodyOf(model, text),
  })
  await answer.body?.cancel()
  return /<([^>]+)>/.exec(answer.headers.get('link') ?? '')?.[1] ?? null
}

/** Reads by an EventSource until it is CLOSED, which a page sees in an error event; it never closes it itself unless it has to. */
export function follow(url: string): Promise<Followed> {
  const events = new EventSource(url)
  const seen: Followed = { text: '', ids: [], opens: 0, errors: 0, readyState: -1, said: '' }
  events.onopen = () => {
    seen.opens += 1
  }
  events.onmessage = ({ data, lastEventId }) => {
    seen.ids.push(lastEventId)
    if (data !== '[DONE]') seen.text += JSON.parse(data).choices[0]?.delta.content ?? ''
  }
  return new Promise((resolve) => {
    events.onerror = (event) => {
      seen.errors += 1
      seen.readyState = events.readyState
      seen.said = Object.keys({ ...event })
        .filter((name) => name !== 'isTrusted')
        .join()
      if (seen.readyState !== CLOSED && seen.errors < MOST_ERRORS) return
      events.close()
      resolve(seen)
    }
  })
}

/** Resolves when an EventSource whose connections all end at once has come back: one that was to come back before has done so. */
export function untilReconnected(url: string): Promise<void> {
  const events = new EventSource(url)
  let opens = 0
  return new Promise((resolve) => {
    events.onopen = () => {
      opens += 1
      if (opens < 2) return
      events.close()
      resolve()
    }
  })
}

/** Reads the whole answer by `resumingFetch`. */
export async function readResumed(call: PageCall): Promise<{ text: string; resumes: number; isWhole: boolean }> {
  let resumes = 0
  const onResume = (): void => {
    resumes += 1
  }
  const answer = await ask(call, resumingFetch({ ...HASTY, onResume }), null)
  const frames = (await answer.text()).split('\n\n').filter((frame) => /^data: /m.test(frame))
  const payloads = frames.map((frame) => /^data: (.*)$/m.exec(frame)?.[1] ?? '')
  const isWhole = payloads.pop() === '[DONE]'
  return { text: payloads.map((payload) => contentOf(JSON.parse(payload))).join(''), resumes, isWhole }
}

/** Reads whole answers, all at once, on one SluiceSocket. */
export async function readOnSocket(
  calls: readonly PageCall[],
): Promise<{ texts: string[]; resumes: number; lost: number }> {
  const [{ origin, key } = { origin: '', key: '' }] = calls
  const socket = new SluiceSocket(socketUrl(origin), { ...HASTY, token: () => key })
  let [resumes, lost] = [0, 0]
  socket.on('lost', () => {
    lost += 1
  })
  const texts = await Promise.all(
    calls.map(async ({ model, text }) => {
      const chat = socket.chat(requestOf(model, text))
      chat.on('resumed', () => {
        resumes += 1
      })
      let answer = ''
      for await (const chunk of chat) answer += contentOf(chunk)
      return answer
    }),
  )
  socket.close()
  return { texts, resumes, lost }
}

/** How a chat on a socket ends that cannot begin: the code of its error. */
export async function failOnSocket({ origin, key, model, text }: PageCall): Promise<{ code: string; lost: string[] }> {
  const socket = new SluiceSocket(socketUrl(origin), { ...HASTY, token: () => key })
  const lost: string[] = []
  socket.on('lost', ({ code, reason }) => lost.push(`${code} ${reason}`))
  const code = await socket.chat(requestOf(model, text)).result.then(
    ({ outcome }) => outcome,
    (error: unknown) =>
      error instanceof ChatFailedError
        ? String(error.code)
        : error instanceof StreamLostError
          ? error.reason
          : String(error),
  )
  socket.close()
  return { code, lost }
}

/** Begins to read and stops, by its signal or when the page is left; gives back the ids of the stream and of its request. */
export async function beginAndStop(call: PageCall, how: 'signal' | 'pagehide'): Promise<string> {
  const controller = new AbortController()
  const answer = await ask(call, resumingFetch(), controller.signal)
  await answer.body?.getReader().read()
  if (how === 'signal') controller.abort()
  else addEventListener('pagehide', () => controller.abort())
  return answer.headers.get('x-request-id') ?? ''
}

/** Begins a chat on a socket and cancels it; gives back the id of its request. */
export async function beginAndCancel({ origin, key, model, text }: PageCall): Promise<string> {
  const socket = new SluiceSocket(socketUrl(origin), { ...HASTY, token: () => key })
  const chat = socket.chat(requestOf(model, text))
  const opened = new Promise<string>((resolve) => chat.on('opened', ({ requestId }) => resolve(requestId)))
  for await (const _ of chat) break
  return opened
}

/** Status and body of a plain GET. */
export async function look(url: string): Promise<{ status: number; body: string }> {
  const answer = await fetch(url)
  return { status: answer.status, body: await answer.text() }
}

function ask(
  { origin, key, model, text }: PageCall,
  send: typeof fetch,
  signal: AbortSignal | null,
): Promise<Response> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` }
  return send(`${origin}/v1/chat/completions`, { method: 'POST', headers, body: bodyOf(model, text), signal })
}

function requestOf(model: string, text: string) {
  return { model, stream: true, max_tokens: 10_000, messages: [{ role: 'user', content: text }] }
}

function bodyOf(model: string, text: string): string {
  return JSON.stringify(requestOf(model, text))
}

function contentOf(chunk: {
  readonly choices: readonly { readonly delta: { readonly content?: string | null } }[]
}): string {
  return chunk.choices[0]?.delta.content ?? ''
}

function socketUrl(origin: string): string {
  return `${origin.replace('http', 'ws')}/v1/ws`
}

declare function addEventListener(type: string, listener: () => void): void
