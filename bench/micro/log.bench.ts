// What does the line of one exchange cost the event loop, with twenty secrets to look for? Beside it: JSON.stringify of
// a record alone. The lines go nowhere, because writing happens in the background.
import { NO_USAGE } from '../../src/model/usage.js'
import { createLog } from '../../src/telemetry/log/log.js'
import { type ExchangeRecord } from '../../src/telemetry/records.js'
import { measure, printTable } from './measure.js'

const secrets = Array.from({ length: 20 }, (_, i) => `sk-provider-${i}-0123456789abcdefghijklmnopqrstuvwxyz`)
const written = { chars: 0 }
const destination = {
  write(line: string): void {
    written.chars += line.length
  },
  flush: () => Promise.resolve(),
}
const log = createLog({ level: 'info', file: null, format: 'json' }, { secrets, destination })
const complete: ExchangeRecord = {
  requestId: '0190b6c2-7d3e-7f3a-9b1c-2f6d8e4a5b6c',
  surface: 'chat',
  transport: 'sse',
  keyName: 'team-a',
  model: 'north/large-2026-01-01',
  endUser: null,
  provider: 'north',
  targetModel: 'large-2026-01-01',
  outcome: 'complete',
  status: 200,
  error: null,
  cause: null,
  usage: { ...NO_USAGE, inputTokens: 1000, outputTokens: 200 },
  usageSource: 'provider',
  attempts: 1,
  costNano: null,
  unpricedAttempts: 0,
  totalMs: 912.345678,
  timeToFirstTokenMs: 90.123,
  overheadMs: 0.234,
  queuedMs: null,
  connectMs: null,
  settleMs: null,
  requestBytes: 1024,
  responseBytes: 4096,
  dropped: [],
  finish: null,
  tries: null,
  trace: null,
  endpoint: null,
  answerId: null,
  answerModel: null,
  upstreamRequestId: null,
  stream: null,
  shared: null,
  cancelledBy: null,
  origin: { method: 'POST', path: '/v1/chat/completions', address: '203.0.113.9', agent: 'OpenAI/JS 6.1.0' },
}
const named: ExchangeRecord = { ...complete, upstreamRequestId: 'req_011CSHoEeqs5C35K2UUqR7Fy' }
const failed: ExchangeRecord = {
  ...complete,
  outcome: 'failed',
  status: 502,
  error: {
    code: 'upstream_rejected',
    message: 'The provider refused the request: this model does not take images.',
    retryable: false,
    status: 502,
    upstreamStatus: 400,
    param: null,
    upstreamType: 'invalid_request_error',
    upstreamCode: null,
    retryAfterMs: null,
  },
  cause: new Error('upstream'),
}

printTable('one log line', [
  measure('complete exchange', () => log.exchange(complete)),
  measure('the same with the id of its upstream', () => log.exchange(named)),
  measure('failed exchange with a cause', () => log.exchange(failed)),
  measure('JSON.stringify(record)', () => destination.write(JSON.stringify(complete))),
])
