// The clients of a soak: each draws what it does next, does it, and looks whether the end was a clear one. Whole answers,
// streams, sockets with several chats, large prompts; clients that leave in the middle, that read slowly, that ask for trouble.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Agent, request } from 'undici'
import WebSocket from 'ws'
import { type Random } from '../helpers/random.js'
import { openRaw, post } from '../helpers/raw-http.js'

const SOUND = ['openai/lorem-max', 'anthropic/lorem-max', 'google/echo', 'ollama/lorem-max', 'both'] as const
/** Faults of the simulator, by its models' names. */
const FAULTS = [
  ...['status,500', 'status,429,1', 'status,401', 'html', 'cut-after-accept', 'cut-after-head', 'cut-mid-frame,3'],
  ...['cut-between-frames,4', 'cut-before-end', 'no-end-marker', 'stall,3', 'stall-head', 'garbage,2', 'error-frame,3'],
  ...['drip,1', 'oversize,2000000', 'delay,300'],
]
const FAULTY_PROVIDERS = ['openai', 'anthropic', 'google'] as const
/** Above `offload.minBytes`: a worker decodes it. */
const LARGE_PROMPT = 'word '.repeat(10_000)
const MAX_PAUSE_MS = 300
const MAX_STAY_MS = 400
const SLOW_READS = 20
const SLOW_PAUSE_MS = 50
const REST_LOOK_MS = 50
const CHATS = 3

export type Tally = Record<'asked' | 'complete' | 'failed' | 'left', number>

/** One load of many clients. */
export class Clients {
  readonly #origin: string
  readonly #random: Random
  readonly #agent: Agent
  readonly tally: Tally = { asked: 0, complete: 0, failed: 0, left: 0 }
  /** What should never be seen. */
  readonly complaints: string[] = []
  #isOver = false
  #busy = 0
  #rest: Promise<void> = Promise.resolve()
  #go: () => void = () => undefined

  constructor(origin: string, random: Random, agent: Agent) {
    this.#origin = origin
    this.#random = random
    this.#agent = agent
  }

  /** Runs so many at once until `stop`. Never rejects. */
  async run(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.#client()))
  }

  stop(): void {
    this.#isOver = true
  }

  /** Resolves once what is under way has ended; nothing new begins before `go`. */
  async rest(): Promise<void> {
    const { promise, resolve } = gate()
    this.#rest = promise
    this.#go = resolve
    while (this.#busy > 0) await sleep(REST_LOOK_MS)
  }

  go(): void {
    this.#go()
  }

  async #client(): Promise<void> {
    const kinds = [
      ...[() => this.#askWhole(), () => this.#askWhole(), () => this.#stream(), () => this.#stream()],
      ...[() => this.#chats(), () => this.#leave(), () => this.#leave(), () => this.#readSlowly()],
      ...[() => this.#askForTrouble(), () => this.#askForTrouble(), () => this.#askLargely()],
    ]
    while (!this.#isOver) {
      await this.#rest
      this.#busy += 1
      try {
        await this.#random.pick(kinds)()
      } catch (error) {
        this.#complain(`a connection failed: ${error instanceof Error ? error.message : String(error)}`)
      } finally {
        this.#busy -= 1
      }
      await sleep(this.#random.below(MAX_PAUSE_MS))
    }
  }

  #askWhole(): Promise<void> {
    return this.#ask(this.#random.pick(SOUND), false, 'Hi')
  }

  #stream(): Promise<void> {
    return this.#ask(this.#random.pick(SOUND), true, 'Hi')
  }

  #askLargely(): Promise<void> {
    return this.#ask(this.#random.pick(SOUND), false, LARGE_PROMPT)
  }

  #askForTrouble(): Promise<void> {
    const model = `${this.#random.pick(FAULTY_PROVIDERS)}/lorem-max+fault=${this.#random.pick(FAULTS)}`
    return this.#ask(model, this.#random.below(2) < 1, 'Hi')
  }

  /** The end must be clear: an answer, an end marker, or an error. */
  async #ask(model: string, stream: boolean, content: string): Promise<void> {
    this.tally.asked += 1
    const { statusCode, headers, body } = await request(`${this.#origin}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: chatOf(model, stream, content),
      dispatcher: this.#agent,
    })
    const text = await body.text()
    const hasError = text.includes('"error"')
    const isStream = String(headers['content-type']).includes('event-stream')
    const isWhole = isStream ? text.includes('data: [DONE]') : text.includes('"choices"')
    if (isWhole === hasError) this.#complain(`${model}: no clear end: ${statusCode} ${text.slice(-200)}`)
    if (hasError && !model.includes('fault=')) this.#complain(`${model}: ${statusCode} ${text.slice(-200)}`)
    this.tally[isWhole ? 'complete' : 'failed'] += 1
  }

  async #leave(): Promise<void> {
    this.tally.asked += 1
    this.tally.left += 1
    const socket = await openRaw(this.#port)
    socket.on('error', () => undefined)
    socket.on('data', () => undefined)
    socket.write(post('/v1/chat/completions', chatOf(this.#random.pick(SOUND), true, 'Hi')))
    await sleep(this.#random.below(MAX_STAY_MS))
    if (this.#random.below(2) < 1) socket.resetAndDestroy()
    else socket.destroy()
  }

  async #readSlowly(): Promise<void> {
    this.tally.asked += 1
    this.tally.left += 1
    const socket = await openRaw(this.#port)
    socket.on('error', () => undefined)
    socket.write(post('/v1/chat/completions', chatOf('openai/lorem-2000+fault=oversize,300000', true, 'Hi')))
    for (let i = 0; i < SLOW_READS && !socket.destroyed; i++) {
      socket.read(1024)
      await sleep(SLOW_PAUSE_MS)
    }
    socket.destroy()
  }

  async #chats(): Promise<void> {
    const socket = new WebSocket(`${this.#origin.replace('http', 'ws')}/v1/ws`, ['sluice.v1'])
    await once(socket, 'open')
    const open = new Set(Array.from({ length: CHATS }, (_, i) => `c${i}`))
    const isOver = new Promise<void>((resolve, reject) => {
      socket.on('message', (bytes: Buffer) => {
        const { type, id, outcome } = JSON.parse(bytes.toString()) as { type: string; id: string; outcome?: string }
        if (type === 'event') return
        open.delete(id)
        if (outcome === undefined) this.#complain(`an end without an outcome: ${bytes.toString().slice(0, 200)}`)
        this.tally[outcome === 'complete' ? 'complete' : outcome === 'client_gone' ? 'left' : 'failed'] += 1
        if (open.size === 0) resolve()
      })
      socket.once('close', () => reject(new Error('the socket closed')))
    })
    for (const id of open) {
      this.tally.asked += 1
      const request = JSON.parse(chatOf(this.#random.pick(SOUND), true, 'Hi')) as object
      socket.send(JSON.stringify({ type: 'chat', id, request }))
    }
    if (this.#random.below(2) < 1) socket.send('{"type":"cancel","id":"c0"}')
    await isOver
    socket.removeAllListeners('close')
    socket.close()
    await once(socket, 'close')
  }

  get #port(): number {
    return Number(new URL(this.#origin).port)
  }

  #complain(text: string): void {
    this.complaints.push(text)
  }
}

function gate(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined
  const promise = new Promise<void>((open) => {
    resolve = open
  })
  return { promise, resolve }
}

function chatOf(model: string, stream: boolean, content: string): string {
  return JSON.stringify({ model, stream, max_tokens: 30, messages: [{ role: 'user', content }] })
}
