// A collector of traces: takes OTLP over HTTP and decodes it by OpenTelemetry's own schema.
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { type AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { type Teardown } from './gateway.js'
import { loadDecoder, type ReceivedSpan } from './otlp.js'

export type { ReceivedSpan }

export class Collector {
  readonly spans: ReceivedSpan[] = []
  readonly headers: IncomingHttpHeaders[] = []
  /** All bodies, unpacked. */
  readonly bodies: Buffer[] = []
  /** Answers with this in place of 200. */
  status = 200
  readonly #server: Server
  readonly #decode: (body: Uint8Array) => ReceivedSpan[]
  #waiting: (() => void)[] = []

  private constructor(decode: (body: Uint8Array) => ReceivedSpan[]) {
    this.#decode = decode
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const sent = Buffer.concat(chunks)
        const isPacked = request.headers['content-encoding'] === 'gzip'
        this.headers.push({ ...request.headers, path: request.url ?? '' })
        if (this.status === 200) this.#take(isPacked ? gunzipSync(sent) : sent)
        response.writeHead(this.status, { 'content-type': 'application/x-protobuf' }).end()
        for (const wake of this.#waiting.splice(0)) wake()
      })
    })
  }

  static async listen(t: Teardown): Promise<Collector> {
    const collector = new Collector(await loadDecoder())
    collector.#server.listen(0, '127.0.0.1')
    await once(collector.#server, 'listening')
    t.teardown(() => {
      collector.#server.closeAllConnections()
      collector.#server.close()
    })
    return collector
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** The variables that point a gateway here. */
  get env(): Readonly<Record<string, string>> {
    return { OTEL_EXPORTER_OTLP_ENDPOINT: this.origin, OTEL_BSP_SCHEDULE_DELAY: '20' }
  }

  /** Resolves when something is as wanted, which is looked at after each export. */
  async until(isThere: () => boolean): Promise<void> {
    while (!isThere()) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** The spans of a trace, once its request's own is there: it is exported with all others. */
  async trace(traceId: string): Promise<ReceivedSpan[]> {
    const found = (): ReceivedSpan[] => this.spans.filter((span) => span.traceId === traceId)
    await this.until(() => found().length > 0)
    return found()
  }

  #take(body: Buffer): void {
    this.bodies.push(body)
    this.spans.push(...this.#decode(body))
  }
}
