// One gateway process behind which each fault is a row of data: an upstream of its own for every row, four kinds of client
// in front, and after every case the same questions, asked by the rig itself: does the process live, is everything given
// back, is the error well-formed, is the answer this request's own, is any secret out, is every request counted once.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type Test } from 'tap'
import { request } from 'undici'
import WebSocket from 'ws'
import { Authority } from './certificates.js'
import { type Running, startGateway, type Teardown } from './gateway.js'
import { parsePage, type Sample } from './prometheus.js'
import { scanPayloads } from './protocol-fixtures.js'
import { ScriptedHttp2Upstream } from './scripted-http2-upstream.js'
import {
  answer,
  CANARY,
  chunk,
  type FaultUpstream,
  LAST_CHUNK,
  type Script,
  ScriptedUpstream,
  streamHead,
} from './scripted-upstream.js'

export type Way = 'json' | 'sse' | 'websocket' | 'fallback'
export const WAYS: readonly Way[] = ['json', 'sse', 'websocket', 'fallback']

/**
 * What the client must see. `early`: a status, unless a fallback answers; `final`: a status, whatever fallback there is;
 * `late`: content, then an error in-band (as JSON: the status).
 */
export type Expected =
  | { readonly kind: 'early' | 'late' | 'final'; readonly status: number }
  | { readonly kind: 'complete'; readonly text?: string }

export type Row = {
  readonly fault: string
  readonly script: Script
  readonly expect: Expected
  readonly ways?: readonly Way[]
  /** For faults that only time reveals. */
  readonly timeoutMs?: number
  /** Instead of the script's own address. */
  readonly baseUrl?: (port: number) => string
  /** HTTP/2 has nothing like it, or shows it in another way. */
  readonly isHttp1Only?: true
}

export type FaultRigOptions = {
  /** The gateway's environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Scripts are played over TLS and HTTP/2; a row with an address of its own as without it, with HTTP/2 offered. */
  readonly isHttp2?: boolean
}

/** What a client got. */
export type Seen = {
  readonly status: number
  readonly requestId: string
  readonly text: string
  /** Text of the answer's content. */
  readonly content: string
  readonly error: { readonly message?: unknown; readonly type?: unknown } | null
  /** The surface's end marker, or `done`, came. */
  readonly hasEnd: boolean
}

export const GATEWAY_KEY = 'gateway-canary-9a8b7c6d5e4f3021'
export const UPSTREAM_KEY = 'sk-upstreamcanary0123456789abcdef0123'
/** Never reached but by rows that set their own. */
const TIMEOUT_MS = 10_000
const SETTLE_MS = 20_000

export function delta(content: string) {
  return chunk(`data: {"choices":[{"index":0,"delta":{"content":"${content}"}}]}\n\n`)
}

export const FINISH = chunk('data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n')
export const DONE = chunk('data: [DONE]\n\n')
export const SOUND: Script = answer(streamHead(), delta(CANARY), FINISH, DONE, LAST_CHUNK)

export class FaultRig {
  readonly gateway: Running
  readonly #upstreams: readonly FaultUpstream[]
  readonly #pid: number
  readonly #secrets: readonly string[]
  /** Requests that must be in the gateway's count. */
  #asked = 0
  #resources: string | null = null

  private constructor(gateway: Running, upstreams: readonly FaultUpstream[]) {
    this.gateway = gateway
    this.#upstreams = upstreams
    this.#pid = gateway.pid
    this.#secrets = [GATEWAY_KEY, UPSTREAM_KEY]
  }

  /** Row `i` is the model `r<i>/m`, or `f<i>` with a sound fallback. */
  static async start(
    t: Teardown,
    rows: readonly Pick<Row, 'script' | 'baseUrl' | 'timeoutMs'>[],
    { env = {}, isHttp2 = false }: FaultRigOptions = {},
  ): Promise<FaultRig> {
    const authority = isHttp2 ? new Authority(t) : null
    const issued = authority?.issue('provider')
    const upstreams = await Promise.all(
      [...rows, { script: SOUND }].map(({ script, baseUrl }: Pick<Row, 'script' | 'baseUrl'>) =>
        issued === undefined || baseUrl !== undefined
          ? ScriptedUpstream.listen(script)
          : ScriptedHttp2Upstream.listen(script, issued),
      ),
    )
    t.teardown(() => Promise.all(upstreams.map((upstream) => upstream.close())))
    const http2 = isHttp2 ? { http2: 'auto' } : {}
    const trust = authority === null ? {} : { tls: { caFile: authority.caFile } }
    const provider = (baseUrl: string, ms = TIMEOUT_MS) => ({
      protocol: 'openai-chat',
      baseUrl,
      apiKey: UPSTREAM_KEY,
      ...http2,
      timeouts: { connectMs: ms, firstTokenMs: ms, betweenTokensMs: ms, totalMs: 3 * ms },
    })
    const own = (port: number) => `${isHttp2 ? 'https' : 'http'}://127.0.0.1:${port}/v1`
    const named = upstreams.map(({ port }, i) => {
      const { baseUrl, timeoutMs } = rows[i] ?? {}
      const one = provider((baseUrl ?? own)(port), timeoutMs)
      return [`r${i}`, baseUrl === undefined ? { ...one, ...trust } : one]
    })
    const models = rows.map((_, i) => [`f${i}`, { targets: [{ provider: `r${i}`, model: 'm' }], fallbacks: ['sound'] }])
    const gateway = await startGateway(t, {
      env,
      config: {
        // One place and no queue: a place that is not given back refuses the next case.
        keys: [{ name: 'k', key: GATEWAY_KEY, limits: { concurrency: 1 } }],
        limits: { queue: { max: 0 } },
        // One try of each target, so that a row's script is what its client sees.
        routing: { retries: { max: 0 }, breaker: { enabled: false } },
        providers: Object.fromEntries(named),
        models: { ...Object.fromEntries(models), sound: { targets: [{ provider: `r${rows.length}`, model: 'm' }] } },
        server: { maxResponseBytes: 4 * 1024 * 1024 },
      },
    })
    const rig = new FaultRig(gateway, upstreams)
    for (const way of WAYS) await rig.ask(way, rows.length)
    rig.#resources = await rig.#settled()
    return rig
  }

  /** The upstream of a row. */
  upstream(row: number): FaultUpstream {
    const upstream = this.#upstreams[row]
    if (upstream === undefined) throw new Error(`no row ${row}`)
    return upstream
  }

  /** One request to the row's upstream. */
  async ask(way: Way, row: number, canary = newCanary()): Promise<Seen & { readonly canary: string }> {
    this.#asked += 1
    const isSound = row === this.#upstreams.length - 1
    const model = way === 'fallback' && !isSound ? `f${row}` : `r${row}/m`
    const body = { model, stream: way !== 'json', messages: [{ role: 'user', content: canary }] }
    const seen = way === 'websocket' ? await this.#askSocket(body) : await this.#askHttp(body)
    return { ...seen, canary }
  }

  /** Asks as each of the row's clients, or of these, and fails the test for whatever is wrong. */
  async holdAgainst(t: Test, row: Row, at: number, ways: readonly Way[] = row.ways ?? WAYS): Promise<void> {
    for (const way of ways) {
      const seen = await this.ask(way, at)
      const found = [...mismatches(row.expect, way, seen), ...this.judge(seen), ...(await this.complaints())]
      if (found.length > 0) t.fail(`${row.fault} as ${way}: ${found.join('; ')}`)
    }
  }

  /** Counts a request that a test made by itself. */
  count(): void {
    this.#asked += 1
  }

  /** Resolves once the gateway holds a part of a request's body. */
  async receiving(): Promise<void> {
    while (sumOf(await this.#scrape(), 'sluice_receiving_bytes') === 0)
      await new Promise((resolve) => setTimeout(resolve, 5))
  }

  /** Takes the gateway's count as it is, for cases that may or may not be requests. */
  async recount(): Promise<void> {
    const samples = await this.#scrape()
    this.#asked = sumOf(samples, 'sluice_requests_total')
  }

  /** All that is wrong after a case; waits for what has to be given back. */
  async complaints(): Promise<string[]> {
    const found: string[] = []
    const { gateway } = this
    if (gateway.pid !== this.#pid || gateway.child.exitCode !== null) return ['the process has ended']
    const resources = await this.#settled()
    if (resources !== this.#resources) found.push(`open: ${resources}; before: ${this.#resources ?? ''}`)
    const output = [gateway.errorOutput, ...gateway.output.splice(0)].join('\n')
    const errors = gateway.complaints.replace(INSPECTOR_WORDS, '')
    if (errors !== '') found.push(`standard error: ${errors.slice(0, 300)}`)
    for (const secret of this.#secrets) if (output.includes(secret)) found.push('a secret is in the log')
    const probe = await this.ask('json', this.#upstreams.length - 1)
    if (probe.status !== 200 || probe.content !== probe.canary) found.push(`the next request got ${probe.text}`)
    return found
  }

  /** What is wrong with an answer by itself. */
  judge(seen: Seen & { readonly canary: string }): string[] {
    const found: string[] = []
    for (const other of seen.text.match(/canary-[0-9a-f]{9}/g) ?? []) {
      if (other !== seen.canary) found.push("another request's canary")
    }
    for (const secret of this.#secrets) if (seen.text.includes(secret)) found.push('a secret is in the answer')
    if (seen.error !== null && (typeof seen.error.message !== 'string' || typeof seen.error.type !== 'string')) {
      found.push(`an error without message or type: ${JSON.stringify(seen.error)}`)
    }
    if (seen.requestId === '') found.push('no request id')
    if (seen.error !== null && seen.hasEnd) found.push('an end marker after an error')
    return found
  }

  /** Active resources by kind, once nothing is in flight and all requests are counted; the last look after a long time. */
  async #settled(): Promise<string> {
    const deadlineMs = performance.now() + SETTLE_MS
    for (;;) {
      const page = await this.#scrape()
      const text = describe(page, this.#asked)
      if (text === (this.#resources ?? text) && !text.includes('!')) return text
      if (performance.now() > deadlineMs) return text
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  async #scrape(): Promise<Sample[]> {
    const page = await request(`${this.gateway.origin}/metrics`, {
      headers: { authorization: `Bearer ${GATEWAY_KEY}` },
    })
    const text = await page.body.text()
    for (const secret of this.#secrets) if (text.includes(secret)) throw new Error('a secret is in the metrics')
    return parsePage(text).samples
  }

  async #askHttp(body: object): Promise<Seen> {
    const answered = await request(`${this.gateway.origin}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${GATEWAY_KEY}` },
      body: JSON.stringify(body),
    })
    const text = await answered.body.text()
    const requestId = String(answered.headers['x-request-id'] ?? '')
    const isStream = /event-stream/.test(String(answered.headers['content-type']))
    const read = isStream ? readStream(text) : readWhole(text)
    return { status: answered.statusCode, requestId, text, ...read }
  }

  async #askSocket(body: object): Promise<Seen> {
    const socket = new WebSocket(`${this.gateway.origin.replace('http', 'ws')}/v1/ws`, ['sluice.v1'], {
      headers: { authorization: `Bearer ${GATEWAY_KEY}` },
    })
    await once(socket, 'open')
    const frames: SocketFrame[] = []
    const ended = new Promise<void>((resolve) => {
      socket.on('message', (bytes: Buffer) => {
        const frame = JSON.parse(bytes.toString()) as SocketFrame
        frames.push(frame)
        if (frame.type !== 'event') resolve()
      })
    })
    socket.send(JSON.stringify({ type: 'chat', id: 'a', request: body }))
    await ended
    socket.terminate()
    const last = frames.at(-1)
    const content = frames.map(({ data }) => data?.choices?.[0]?.delta?.content ?? '').join('')
    const isError = last?.type === 'error'
    const error = isError ? (last.error ?? {}) : null
    return { status: 200, requestId: 'socket', text: JSON.stringify(frames), content, error, hasEnd: !isError }
  }
}

type Delta = { readonly choices?: readonly { readonly delta?: { readonly content?: string } }[] }
type SocketFrame = { readonly type: string; readonly data?: Delta; readonly error?: { readonly message?: string } }
type Read = Pick<Seen, 'content' | 'error' | 'hasEnd'>

function readStream(text: string): Read {
  const frames = scanPayloads('sse', [Buffer.from(text)]).map((payload) => Buffer.from(payload, 'latin1').toString())
  const hasEnd = frames.includes('[DONE]')
  const parsed = frames
    .filter((frame) => frame !== '[DONE]')
    .map((frame) => JSON.parse(frame) as Delta & { error?: object })
  const content = parsed.map(({ choices }) => choices?.[0]?.delta?.content ?? '').join('')
  const error = parsed.find((frame) => frame.error !== undefined)?.error ?? null
  return { content, error, hasEnd }
}

function readWhole(text: string): Read {
  const body = JSON.parse(text) as { error?: object; choices?: { message?: { content?: string } }[] }
  return {
    content: body.choices?.[0]?.message?.content ?? '',
    error: body.error ?? null,
    hasEnd: body.error === undefined,
  }
}

export function newCanary(): string {
  return `canary-${randomBytes(5).toString('hex').slice(0, 9)}`
}

/** How an answer differs from what its row expects. */
export function mismatches(expect: Expected, way: Way, seen: Seen & { readonly canary: string }): string[] {
  const wanted = wantedOf(expect, way, seen.canary)
  const got = { status: seen.status, content: seen.content, isError: seen.error !== null, hasEnd: seen.hasEnd }
  if (wanted.status.includes(got.status) && wanted.content === got.content && wanted.isError === got.isError) {
    return wanted.isError && got.hasEnd ? ['an end after the error'] : []
  }
  return [`wanted ${JSON.stringify(wanted)}, got ${JSON.stringify(got)} ${seen.text.slice(0, 300)}`]
}

function wantedOf(expect: Expected, way: Way, canary: string) {
  if (expect.kind === 'complete') return { status: [200], content: canary + (expect.text ?? ''), isError: false }
  const status = [expect.status]
  if (expect.kind === 'early' && way === 'fallback') return { status: [200], content: canary, isError: false }
  if (expect.kind === 'late' && way !== 'json') return { status: [200], content: canary, isError: true }
  return { status: way === 'websocket' ? [200] : status, content: '', isError: true }
}

/** What a process that can be inspected says of it. */
const INSPECTOR_WORDS = /^(?:Debugger |For help, see: ).*\n/gm

/** Resources of the log's own writing. */
const LOG_WRITES = /^(?:FSReq|PipeWrap|WriteWrap)/

/** What is open, by kind; a `!` marks what has still to end or to be counted. */
function describe(samples: readonly Sample[], asked: number): string {
  const active = ['sluice_active_requests', 'sluice_active_streams', 'sluice_offload_queue']
    .map((name) => sumOf(samples, name))
    .reduce((total, value) => total + value)
  const counted = sumOf(samples, 'sluice_requests_total')
  const resources = samples
    .filter(
      ({ name, value, labels }) =>
        name === 'nodejs_active_resources' && value > 0 && !LOG_WRITES.test(labels.type ?? ''),
    )
    .map(({ labels, value }) => `${labels.type} ${value}`)
    .sort()
    .join(', ')
  const open = active > 0 ? `! ${active} in flight, ` : ''
  return `${open}${counted === asked ? '' : `! ${counted} of ${asked} counted, `}${resources}`
}

function sumOf(samples: readonly Sample[], name: string): number {
  return samples.filter((sample) => sample.name === name).reduce((total, { value }) => total + value, 0)
}
