// TLS in front of an upstream, as providers have it: HTTP/2 and HTTP/1.1, by ALPN, with a certificate of its own. What it costs is not
// the contenders'. Run: node dist/bench/tls-front.js UPSTREAM_ORIGIN; prints its port and the file of its certificate, then for each
// line that it is sent its connections (FrontReport).
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Dispatcher, Pool } from 'undici'
import { type FrontReport } from './stats.js'

const origin = process.argv[2] ?? 'http://127.0.0.1:4000'
const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-tls-'))
const [keyFile, certFile] = [join(folder, 'front.key'), join(folder, 'front.crt')]
execFileSync(
  'openssl',
  [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=bench', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', keyFile, '-out', certFile],
  ],
  { stdio: 'ignore' },
)
const pool = new Pool(origin, { connections: null, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 })

/** Passes one answer on, a write for each piece. */
class Front implements Dispatcher.DispatchHandler {
  readonly #response: Http2ServerResponse
  #controller: Dispatcher.DispatchController | null = null

  constructor(response: Http2ServerResponse) {
    this.#response = response
    response.on('close', () => this.#controller?.abort(new Error('client gone')))
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
  }

  onResponseStart(_controller: unknown, status: number, headers: Record<string, string | string[] | undefined>): void {
    this.#response.writeHead(status, { 'content-type': String(headers['content-type'] ?? '') })
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    this.#response.write(chunk)
  }

  onResponseEnd(): void {
    this.#controller = null
    this.#response.end()
  }

  onResponseError(): void {
    this.#controller = null
    this.#response.destroy()
  }
}

function serve(request: Http2ServerRequest, response: Http2ServerResponse): void {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const headers = ['content-type', 'application/json']
    const path = request.url ?? '/'
    pool.dispatch({ origin, path, method: 'POST', headers, body: Buffer.concat(chunks) }, new Front(response))
  })
}

const server = createSecureServer({ allowHTTP1: true, key: readFileSync(keyFile), cert: readFileSync(certFile) }, serve)
server.on('connection', (socket) => socket.setNoDelay(true))
const report: { -readonly [name in keyof FrontReport]: FrontReport[name] } = { open: 0, made: 0, resumed: 0 }
server.on('secureConnection', (socket) => {
  report.open += 1
  report.made += 1
  if (socket.isSessionReused()) report.resumed += 1
  socket.on('close', () => {
    report.open -= 1
  })
})
createInterface({ input: process.stdin }).on('line', () => process.stdout.write(`${JSON.stringify(report)}\n`))
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  process.stdout.write(`${JSON.stringify({ origin: `https://127.0.0.1:${port}`, certFile })}\n`)
})
