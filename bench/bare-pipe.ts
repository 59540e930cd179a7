// The floor of every table: uWebSockets.js -> undici dispatch -> bytes, with no feature at all. What Sluice costs more than
// this is what its features cost. Run: node dist/bench/bare-pipe.js UPSTREAM_ORIGIN [joined | plain [CA_FILE]]; prints its port. `joined`: what
// one read of the upstream brought goes out in one write, which is already a technique of a gateway's, and a lower floor.

import { type HttpResponse } from 'uWebSockets.js'
import { readFileSync } from 'node:fs'
import { Pool } from 'undici'
import { loadEngine } from '../src/server/engine/engine.js'
import { tuneCollector } from '../src/threads/collector.js'

const origin = process.argv[2] ?? 'http://127.0.0.1:4000'
const isJoined = process.argv[3] === 'joined'
const caFile = process.argv[4] ?? null
tuneCollector()
const { uws } = loadEngine()
const pool = new Pool(origin, {
  connections: null,
  pipelining: 1,
  headersTimeout: 0,
  bodyTimeout: 0,
  keepAliveTimeout: 60_000,
  ...(caFile === null ? {} : { connect: { ca: readFileSync(caFile) } }),
})
const MAX_CORK_BYTES = 15 * 1024
const HEADERS = [
  ...['content-type', 'application/json', 'authorization', 'Bearer bench'],
  ...['anthropic-version', '2023-06-01'],
]

class Pipe {
  readonly #res: HttpResponse
  isOver = false
  #controller: { abort(reason: Error): void } | null = null
  #pending: Buffer[] = []
  #isWhole = true
  #contentType = ''

  constructor(res: HttpResponse) {
    this.#res = res
  }

  onRequestStart(controller: { abort(reason: Error): void }): void {
    this.#controller = controller
  }

  onResponseStart(_controller: unknown, _status: number, headers: Record<string, string | string[] | undefined>): void {
    this.#contentType = String(headers['content-type'] ?? '')
    this.#isWhole = this.#contentType.startsWith('application/json')
    if (!this.#isWhole) this.#res.cork(() => this.#res.writeHeader('content-type', this.#contentType))
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    if (this.isOver) return
    const isFirst = this.#pending.push(chunk) === 1
    if (this.#isWhole) return
    if (!isJoined) this.#flush()
    else if (isFirst) queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    if (this.isOver || this.#pending.length === 0) return
    const [first] = this.#pending
    const pending = this.#pending.length === 1 && first !== undefined ? first : Buffer.concat(this.#pending)
    this.#pending = []
    // More than the engine's 16 KiB cork buffer would be lost under backpressure (uws.js#1249).
    for (let at = 0; at < pending.length; at += MAX_CORK_BYTES) {
      this.#res.cork(() => void this.#res.write(pending.subarray(at, at + MAX_CORK_BYTES)))
    }
  }

  onResponseEnd(): void {
    if (this.isOver) return
    const whole = this.#isWhole ? Buffer.concat(this.#pending) : null
    if (whole === null) this.#flush()
    this.isOver = true
    this.#res.cork(() => {
      if (whole !== null) this.#res.writeHeader('content-type', this.#contentType)
      this.#res.end(whole ?? undefined)
    })
  }

  onResponseError(): void {
    if (!this.isOver) this.#res.close()
    this.isOver = true
  }

  abort(): void {
    this.isOver = true
    this.#controller?.abort(new Error('client gone'))
  }
}

uws
  .App()
  .post('/*', (res, req) => {
    const query = req.getQuery()
    const path = query === undefined || query === '' ? req.getUrl() : `${req.getUrl()}?${query}`
    const pipe = new Pipe(res)
    const chunks: Buffer[] = []
    res.onAborted(() => pipe.abort())
    res.onWritable(() => true)
    res.onData((chunk, isLast) => {
      chunks.push(Buffer.from(Buffer.from(chunk)))
      if (!isLast || pipe.isOver) return
      pool.dispatch({ origin, path, method: 'POST', headers: HEADERS, body: Buffer.concat(chunks) }, pipe)
    })
  })
  .listen('127.0.0.1', 0, (socket) => {
    process.stdout.write(`${JSON.stringify({ port: uws.us_socket_local_port(socket) })}\n`)
  })
