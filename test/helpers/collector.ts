// A collector of traces: takes OTLP over HTTP and decodes it with protobufjs by OpenTelemetry's own schema (test/fixtures/otlp, from
// opentelemetry-proto ac2c4b5), so that nothing of the exporter's own code says whether its bytes are right.
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { type AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import protobuf from 'protobufjs'
import { ROOT, type Teardown } from './gateway.js'

const SCHEMA = `${ROOT}test/fixtures/otlp/`
const SERVICE = 'opentelemetry/proto/collector/trace/v1/trace_service.proto'
const REQUEST = 'opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest'
/** The schema's numbers. */
const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer']
const CODES = ['unset', 'ok', 'error']

type Value = {
  readonly stringValue?: string
  readonly intValue?: string
  readonly doubleValue?: number
  readonly boolValue?: boolean
  readonly arrayValue?: { readonly values: readonly Value[] }
}
type Pair = { readonly key: string; readonly value: Value }
type Wire = {
  readonly traceId: Buffer
  readonly spanId: Buffer
  readonly parentSpanId?: Buffer
  readonly traceState?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes?: readonly Pair[]
  readonly links?: readonly { readonly traceId: Buffer; readonly spanId: Buffer }[]
  readonly status?: { readonly code?: number; readonly message?: string }
}
type Export = {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Pair[] }
    readonly scopeSpans: readonly { readonly spans: readonly Wire[] }[]
  }[]
}

export type ReceivedSpan = {
  readonly traceId: string
  readonly spanId: string
  /** Empty for a root. */
  readonly parentId: string
  readonly state: string
  readonly name: string
  readonly kind: string | undefined
  readonly startNs: bigint
  readonly endNs: bigint
  readonly attributes: Readonly<Record<string, unknown>>
  readonly links: readonly string[]
  readonly status: string | undefined
  readonly resource: Readonly<Record<string, unknown>>
}

export class Collector {
  readonly spans: ReceivedSpan[] = []
  readonly headers: IncomingHttpHeaders[] = []
  /** All bodies, unpacked. */
  readonly bodies: Buffer[] = []
  /** Answers with this in place of 200. */
  status = 200
  readonly #server: Server
  readonly #type: protobuf.Type
  #waiting: (() => void)[] = []

  private constructor(type: protobuf.Type) {
    this.#type = type
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
    const root = new protobuf.Root()
    root.resolvePath = (_origin, target) => SCHEMA + target
    await root.load(SERVICE)
    const collector = new Collector(root.lookupType(REQUEST))
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
    const decoded = this.#type.toObject(this.#type.decode(body), { longs: String }) as Export
    for (const { resource, scopeSpans } of decoded.resourceSpans) {
      const attributes = record(resource.attributes)
      for (const { spans } of scopeSpans) this.spans.push(...spans.map((span) => received(span, attributes)))
    }
  }
}

function received(span: Wire, resource: ReceivedSpan['resource']): ReceivedSpan {
  const { name, kind, traceState = '', attributes = [], links = [], status, parentSpanId } = span
  return {
    traceId: span.traceId.toString('hex'),
    spanId: span.spanId.toString('hex'),
    parentId: parentSpanId?.toString('hex') ?? '',
    ...{ state: traceState, name, kind: KINDS[kind], resource },
    startNs: BigInt(span.startTimeUnixNano),
    endNs: BigInt(span.endTimeUnixNano),
    attributes: record(attributes),
    links: links.map((link) => `${link.traceId.toString('hex')}-${link.spanId.toString('hex')}`),
    status: CODES[status?.code ?? 0],
  }
}

function record(pairs: readonly Pair[]): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, plain(value)]))
}

function plain(value: Value): unknown {
  if (value.arrayValue !== undefined) return value.arrayValue.values.map(plain)
  if (value.intValue !== undefined) return Number(value.intValue)
  return value.stringValue ?? value.doubleValue ?? value.boolValue
}
