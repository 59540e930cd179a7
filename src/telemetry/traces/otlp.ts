// Sends spans to a collector by OTLP over HTTP. The only file that loads OpenTelemetry's exporter (140 ms, 25 MB), and it is loaded only
// where traces are on. The exporter encodes, compresses, authenticates and retries; it reads the variables of the environment itself.
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'

/** A span that has ended, in the form that the exporter takes. */
export type Span = Parameters<OTLPTraceExporter['export']>[0][number]

export type SpanSender = {
  /** Resolves when the collector has taken them, or with the reason why it has not. Never rejects. */
  send(spans: readonly Span[]): Promise<Error | null>
}

/** OpenTelemetry's code for an export that went well. */
const SUCCESS = 0

/** `variables`: those of this process and of `.env`, by which the exporter finds its collector. */
export function createSpanSender(variables: Readonly<Record<string, string>>): SpanSender {
  for (const [name, value] of Object.entries(variables)) process.env[name] = value
  const exporter = new OTLPTraceExporter()
  return {
    send: (spans) =>
      new Promise((resolve) => {
        exporter.export([...spans], ({ code, error }) => {
          resolve(code === SUCCESS ? null : (error ?? new Error('the export failed')))
        })
      }),
  }
}
