// One streamed chat as the playground reads it, with the times that a reader notices. It touches no page.
import { readEvents, readLines } from '../event-stream.js'
import { type ChatApi, type ChatReader } from './chat-api.js'

/** What is known so far. */
export type ChatFacts = {
  /** From sending to the first token; null before it. */
  readonly firstTokenMs: number | null
  readonly tokens: number
  /** Tokens are counted by frames until the provider reports them. */
  readonly isReported: boolean
  /** Since the first token; null before the second one, and where all came at once. */
  readonly tokensPerSec: number | null
}

export type ChatEnd =
  | { readonly kind: 'complete'; readonly finishReason: string }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'failed'; readonly message: string }

export type ChatEvents = {
  /** `kind`: an answer, or what the model thinks before it. */
  readonly onText: (kind: 'answer' | 'thinking', text: string) => void
  readonly onFacts: (facts: ChatFacts) => void
}

const SEC_MS = 1000
/** Tokens that come in less time came at once: a rate says nothing of them. */
const LEAST_STREAMED_MS = 50

/** A chat to send. `nowMs`: a clock that does not jump. */
export type SentChat = {
  readonly api: Pick<ChatApi, 'read' | 'framing'>
  readonly send: () => Promise<Response>
  readonly nowMs: () => number
}

/** Sends a chat and reads it to its end. Never rejects. */
export async function readChat({ api, send, nowMs }: SentChat, events: ChatEvents): Promise<ChatEnd> {
  const reading = new ChatReading(events, nowMs)
  try {
    const response = await send()
    if (!response.ok) return { kind: 'failed', message: messageOf(response.status, await response.text()) }
    for await (const data of dataOf(response, api)) api.read(data, reading)
    return reading.end
  } catch (thrown) {
    if (thrown instanceof Error && thrown.name === 'AbortError') return { kind: 'stopped' }
    return { kind: 'failed', message: `The connection failed: ${thrown instanceof Error ? thrown.message : 'unknown'}` }
  }
}

async function* dataOf(response: Response, { framing }: Pick<ChatApi, 'framing'>): AsyncGenerator<string> {
  if (framing === 'ndjson') yield* readLines(response)
  else for await (const { data } of readEvents(response)) yield data
}

class ChatReading implements ChatReader {
  readonly #events: ChatEvents
  readonly #nowMs: () => number
  readonly #sentAtMs: number
  #firstAtMs: number | null = null
  #tokens = 0
  #isReported = false
  #finishReason = ''
  #failure: string | null = null
  #hasMarker = false

  constructor(events: ChatEvents, nowMs: () => number) {
    this.#events = events
    this.#nowMs = nowMs
    this.#sentAtMs = nowMs()
  }

  /** A stream without the end marker has lost something. */
  get end(): ChatEnd {
    if (this.#failure !== null) return { kind: 'failed', message: this.#failure }
    if (!this.#hasMarker) return { kind: 'failed', message: 'The stream ended without its end marker.' }
    return { kind: 'complete', finishReason: this.#finishReason }
  }

  text(kind: 'answer' | 'thinking', text: string): void {
    if (text === '') return
    this.#firstAtMs ??= this.#nowMs()
    if (!this.#isReported) this.#tokens += 1
    this.#events.onText(kind, text)
    this.#tell()
  }

  finish(reason: string): void {
    this.#finishReason = reason
  }

  usage(outputTokens: number): void {
    this.#tokens = outputTokens
    this.#isReported = true
    this.#tell()
  }

  fail(message: unknown): void {
    this.#failure = typeof message === 'string' ? message : 'The stream failed.'
  }

  close(): void {
    this.#hasMarker = true
  }

  #tell(): void {
    const first = this.#firstAtMs
    const streamedMs = first === null ? 0 : this.#nowMs() - first
    this.#events.onFacts({
      firstTokenMs: first === null ? null : first - this.#sentAtMs,
      tokens: this.#tokens,
      isReported: this.#isReported,
      tokensPerSec:
        this.#tokens < 2 || streamedMs < LEAST_STREAMED_MS ? null : ((this.#tokens - 1) * SEC_MS) / streamedMs,
    })
  }
}

function messageOf(status: number, body: string): string {
  try {
    const { error } = JSON.parse(body) as { readonly error?: string | { readonly message?: string } }
    const message = typeof error === 'string' ? error : error?.message
    if (typeof message === 'string') return `${status}: ${message}`
  } catch {
    // It was no JSON; the status says enough.
  }
  return `The answer was ${status}.`
}
