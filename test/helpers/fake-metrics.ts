// Metrics written down.
import { type ExchangeRecord, type Metrics, type Transport } from '../../src/telemetry/records.js'

/** Metrics written down. */
export class FakeMetrics implements Metrics {
  started = 0
  readonly settled: ExchangeRecord[] = []
  readonly openStreams = new Map<Transport, number>()
  opened = 0
  readonly attempts: string[] = []
  readonly rejections: string[] = []
  readonly retries: string[] = []
  readonly implausible: string[] = []
  readonly unsolicited: string[] = []
  readonly interTokens: number[] = []
  slot(): number {
    return 0
  }
  exchangeStarted(): void {
    this.started += 1
  }
  jobCounts(): void {}
  jobRun(): void {}
  webhook(): void {}
  exchangeSettled(record: ExchangeRecord): void {
    this.settled.push(record)
  }
  streamOpened(transport: Transport): void {
    this.opened += 1
    this.openStreams.set(transport, (this.openStreams.get(transport) ?? 0) + 1)
  }
  streamClosed(transport: Transport): void {
    this.openStreams.set(transport, (this.openStreams.get(transport) ?? 0) - 1)
  }
  readonly costs: number[] = []
  unpriced = 0
  attemptCost(_slot: number, nano: number): void {
    this.costs.push(nano)
  }
  unpricedAttempt(): void {
    this.unpriced += 1
  }
  interToken(_slot: number, seconds: number): void {
    this.interTokens.push(seconds)
  }
  upstreamAttempt(_provider: string, result: string): void {
    this.attempts.push(result)
  }
  upstreamRetry(provider: string, kind: string): void {
    this.retries.push(`${provider} ${kind}`)
  }
  implausibleUsage(provider: string): void {
    this.implausible.push(provider)
  }
  unsolicitedBytes(provider: string): void {
    this.unsolicited.push(provider)
  }
  limitRejection(scope: string, limit: string): void {
    this.rejections.push(`${scope} ${limit}`)
  }
  budgetRefused(): void {}
  budgetDebt(): void {}
  offloadTask(): void {}
  offloadQueue(): void {}
  upstreamConnections(): void {}
  breakerState(): void {}
  eventLoopLag(): void {}
  redisState(): void {}
  accountsState(): void {}
  redisCall(): void {}
}
