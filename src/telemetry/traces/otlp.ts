// Sends batches of spans to a collector by OTLP over HTTP. The only file that loads OpenTelemetry's exporter (60 ms), and it is loaded
// only where traces are on. The exporter compresses, authenticates and retries; it reads the variables of the environment itself.
import { convertLegacyHttpOptions, createOtlpHttpExportDelegate } from '@opentelemetry/otlp-exporter-base/node-http'

/** Encoded spans. */
export type Sendable = {
  readonly spans: number
  finish(): Uint8Array
}

export type SpanSender = {
  /** Resolves when the collector has taken them, or with the reason why it has not. Never rejects. */
  send(batch: Sendable): Promise<Error | null>
}

/** OpenTelemetry's code for an export that went well. */
const SUCCESS = 0
/** As OpenTelemetry's own exporter has it. */
const PATH = 'v1/traces'
const HEADERS = { 'Content-Type': 'application/x-protobuf' }
const EXPORTER_TYPE = 'otlp_http_span_exporter'

/** The batch is encoded already; what a collector says beside its status is not read. */
const SERIALIZER = { serializeRequest: (batch: Sendable) => batch.finish(), deserializeResponse: () => ({}) }
const COUNTED = { name: 'span' as const, countItems: ({ spans }: Sendable) => spans }

/** `variables`: those of this process and of `.env`, by which the exporter finds its collector. */
export function createSpanSender(variables: Readonly<Record<string, string>>): SpanSender {
  for (const [name, value] of Object.entries(variables)) process.env[name] = value
  const options = convertLegacyHttpOptions({}, 'TRACES', PATH, HEADERS)
  const exporter = createOtlpHttpExportDelegate(options, SERIALIZER, EXPORTER_TYPE, COUNTED, undefined)
  return {
    send: (batch) =>
      new Promise((resolve) => {
        exporter.export(batch, ({ code, error }) => {
          resolve(code === SUCCESS ? null : (error ?? new Error('the export failed')))
        })
      }),
  }
}
