// Counts and logs connections that were closed for demanding too much of one turn. Each one is counted; the log gets at most one
// line per second and kind, so that a flood of connections does not become a flood of lines.
import { type LoopMetrics } from '../telemetry/metrics/metrics.js'
import { type FloodKind, type Log } from '../telemetry/records.js'

export type FloodReportOptions = {
  readonly metrics: Pick<LoopMetrics, 'flood'>
  readonly log: () => Pick<Log, 'warn'>
  readonly nowMs: () => number
}

const LINE_EVERY_MS = 1000
const MESSAGES: Readonly<Record<FloodKind, string>> = Object.freeze({
  requests: 'connection closed: too many pipelined requests',
  messages: 'WebSocket closed: too many messages',
  chunks: 'connection closed: too many small chunks',
})

/** The log lines of one event loop about floods: at most one a second of each kind. */
export class FloodReport {
  readonly #options: FloodReportOptions
  readonly #told = {
    requests: { nextMs: 0, count: 0 },
    messages: { nextMs: 0, count: 0 },
    chunks: { nextMs: 0, count: 0 },
  }

  constructor(options: FloodReportOptions) {
    this.#options = options
  }

  /** `address`: of the connection's other side. */
  note(kind: FloodKind, address: string): void {
    const { metrics, log, nowMs } = this.#options
    metrics.flood(kind)
    const told = this.#told[kind]
    told.count += 1
    const now = nowMs()
    if (now < told.nextMs) return
    log().warn({ address, connections: told.count }, MESSAGES[kind])
    told.nextMs = now + LINE_EVERY_MS
    told.count = 0
  }
}
