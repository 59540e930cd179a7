// Decodes OTLP with protobufjs by OpenTelemetry's own schema (test/fixtures/otlp, from opentelemetry-proto ac2c4b5), so that nothing of
// the exporter's own code says whether its bytes are right; and puts what was decoded into the form that their encoder takes.
import { type ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer'
import protobuf from 'protobufjs'
import { ROOT } from './gateway.js'

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
  readonly links?: readonly { readonly traceId: Buffer; readonly spanId: Buffer; readonly flags?: number }[]
  readonly flags?: number
  readonly status?: { readonly code?: number; readonly message?: string }
}
type Scope = { readonly name: string; readonly version: string }
type Export = {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Pair[] }
    readonly scopeSpans: readonly { readonly scope: Scope; readonly spans: readonly Wire[] }[]
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
  readonly scope: Scope
  /** Of the trace, and whether the parent is another service's. */
  readonly flags: number
}

/** What decodes the body of an export. */
export async function loadDecoder(): Promise<(body: Uint8Array) => ReceivedSpan[]> {
  const root = new protobuf.Root()
  root.resolvePath = (_origin, target) => SCHEMA + target
  await root.load(SERVICE)
  const type = root.lookupType(REQUEST)
  return (body) => {
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.length)
    const decoded = type.toObject(type.decode(bytes), { longs: String }) as Export
    return decoded.resourceSpans.flatMap(({ resource, scopeSpans }) => {
      const attributes = record(resource.attributes)
      return scopeSpans.flatMap(({ scope, spans }) => spans.map((span) => received(span, attributes, scope)))
    })
  }
}

type Readable = Parameters<typeof ProtobufTraceSerializer.serializeRequest>[0][number]

const IS_REMOTE = 0x200

/** The same span as OpenTelemetry's encoder takes it. Its links are of sampled spans, its list of one text. */
export function readable(span: ReceivedSpan): Readable {
  const { traceId, spanId, parentId, state, name, kind, startNs, endNs, attributes, links, status, resource, scope } =
    span
  const isRemote = (span.flags & IS_REMOTE) !== 0
  const traceState = (state === '' ? {} : { traceState: { serialize: () => state } }) as object
  const linkOf = (link: string) => {
    const [linked = '', linkedSpan = ''] = link.split('-')
    return { context: { traceId: linked, spanId: linkedSpan, traceFlags: 1, isRemote: true }, attributes: {} }
  }
  return {
    name,
    kind: KINDS.indexOf(kind ?? '') - 1,
    spanContext: () => ({ traceId, spanId, traceFlags: span.flags & 1, ...traceState }),
    ...(parentId === '' ? {} : { parentSpanContext: { traceId, spanId: parentId, traceFlags: 1, isRemote } }),
    startTime: [Number(startNs / 1_000_000_000n), Number(startNs % 1_000_000_000n)],
    endTime: [Number(endNs / 1_000_000_000n), Number(endNs % 1_000_000_000n)],
    status: { code: CODES.indexOf(status ?? '') },
    attributes: attributes as Readable['attributes'],
    links: links.map(linkOf),
    events: [],
    duration: [0, 0],
    ended: true,
    resource: {
      attributes: resource,
      getRawAttributes: () => Object.entries(resource),
    } as unknown as Readable['resource'],
    instrumentationScope: scope,
    ...{ droppedAttributesCount: 0, droppedEventsCount: 0, droppedLinksCount: 0 },
  }
}

function received(span: Wire, resource: ReceivedSpan['resource'], scope: Scope): ReceivedSpan {
  const { name, kind, traceState = '', attributes = [], links = [], status, parentSpanId } = span
  return {
    traceId: span.traceId.toString('hex'),
    spanId: span.spanId.toString('hex'),
    parentId: parentSpanId?.toString('hex') ?? '',
    ...{ state: traceState, name, kind: KINDS[kind], resource, scope, flags: span.flags ?? 0 },
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
