// An exchange record with everything ordinary, for tests that care about a few fields.
import { NO_USAGE } from '../../src/model/usage.js'
import { type ExchangeRecord } from '../../src/telemetry/records.js'

export function exchangeRecord(changes: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return {
    requestId: 'req-1',
    surface: 'chat',
    transport: 'sse',
    keyName: 'team-a',
    model: 'fast',
    endUser: null,
    provider: 'north',
    targetModel: 'north-large',
    outcome: 'complete',
    status: 200,
    error: null,
    cause: null,
    finish: null,
    usage: { ...NO_USAGE, inputTokens: 10, outputTokens: 20 },
    usageSource: 'provider',
    attempts: 1,
    costNano: null,
    unpricedAttempts: 0,
    totalMs: 1500,
    timeToFirstTokenMs: 120,
    overheadMs: 0.3,
    requestBytes: 1000,
    responseBytes: 5000,
    dropped: [],
    origin: null,
    tries: null,
    trace: null,
    endpoint: null,
    answerId: null,
    answerModel: null,
    upstreamRequestId: null,
    stream: null,
    shared: null,
    cancelledBy: null,
    ...changes,
  }
}
