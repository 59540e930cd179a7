// The log: one parsable line for each exchange, with the fields that people look for and none of the secrets.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { ERROR_CATALOGUE, errorData, GatewayError } from '../../../src/errors.js'
import { NO_PARTS } from '../../../src/model/usage.js'
import { createLog, type LogConfig, reopenLog } from '../../../src/telemetry/log/log.js'
import { type Log } from '../../../src/telemetry/records.js'
import { exchangeRecord } from '../../helpers/exchange-record.js'

const CANARY = 'canary-0123456789-secret'

function setUp(config: Partial<LogConfig> = {}): {
  log: Log
  lines: string[]
  parsed: () => Record<string, unknown>[]
} {
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line), flush: () => Promise.resolve() }
  const log = createLog({ level: 'info', file: null, format: 'json', ...config }, { secrets: [CANARY], destination })
  return { log, lines, parsed: () => lines.map((line) => JSON.parse(line)) }
}

test('an exchange is one line with its key, model, outcome and cost', (t) => {
  const { log, lines, parsed } = setUp()
  log.exchange(
    exchangeRecord({
      usage: {
        inputTokens: 10,
        outputTokens: 20,
        cachedInputTokens: 4,
        cacheWriteTokens: 0,
        reasoningTokens: 5,
        parts: NO_PARTS,
      },
      dropped: ['top_k'],
      finish: 'length',
      totalMs: 1500.123456,
    }),
  )
  t.equal(lines.length, 1)
  t.match(lines[0], /^\{.*\}\n$/)
  const [line] = parsed()
  t.match(line?.time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  t.same(
    { ...line, time: null },
    {
      level: 'info',
      time: null,
      id: 'req-1',
      key: 'team-a',
      surface: 'chat',
      transport: 'sse',
      model: 'fast',
      target: 'north/north-large',
      outcome: 'complete',
      status: 200,
      finish: 'length',
      tokens: { in: 10, out: 20, cached: 4, reasoning: 5 },
      usageSource: 'provider',
      ttftMs: 120,
      totalMs: 1500.123,
      overheadMs: 0.3,
      attempts: 1,
      requestBytes: 1000,
      responseBytes: 5000,
      dropped: ['top_k'],
      msg: 'exchange',
    },
  )
  t.end()
})

test('a failed exchange has the code, the message and the cause', (t) => {
  const { log, parsed } = setUp()
  const error = errorData('upstream_rejected', {
    message: 'No such model',
    upstreamStatus: 400,
    param: 'model',
    upstreamType: 'bad',
    upstreamCode: 'unknown',
  })
  log.exchange(
    exchangeRecord({
      outcome: 'failed',
      status: 400,
      error,
      cause: new TypeError('deep'),
      provider: null,
      model: null,
    }),
  )
  t.match(parsed()[0], {
    level: 'warn',
    target: null,
    model: null,
    error: {
      code: 'upstream_rejected',
      message: 'No such model',
      upstreamStatus: 400,
      param: 'model',
      upstreamType: 'bad',
      upstreamCode: 'unknown',
      cause: { name: 'TypeError', message: 'deep' },
    },
  })
  t.end()
})

test('the level says whose fault it was', (t) => {
  const { log, parsed } = setUp()
  log.exchange(exchangeRecord({ outcome: 'client_gone' }))
  log.exchange(exchangeRecord({ outcome: 'rejected', error: errorData('unauthenticated') }))
  log.exchange(exchangeRecord({ outcome: 'upstream_cut', error: errorData('upstream_cut') }))
  log.exchange(exchangeRecord({ outcome: 'failed', error: errorData('internal') }))
  log.exchange(exchangeRecord({ outcome: 'rejected', error: errorData('misconfigured') }))
  t.same(
    parsed().map(({ level }) => level),
    ['info', 'info', 'warn', 'error', 'error'],
  )
  t.end()
})

test('lines below the level are not written, and silent writes none', (t) => {
  const warn = setUp({ level: 'warn' })
  const silent = setUp({ level: 'silent' })
  for (const { log } of [warn, silent]) {
    log.exchange(exchangeRecord())
    log.info({}, 'info')
    log.warn({}, 'warn')
    log.error({}, 'error')
  }
  t.same(
    warn.parsed().map(({ msg }) => msg),
    ['warn', 'error'],
  )
  t.same(silent.lines, [])
  t.resolves(silent.log.flush())
  t.end()
})

test('a canary in every text of a record or of fields is in no line', (t) => {
  const { log, lines } = setUp()
  const leak = `x ${CANARY} y`
  const cause = new Error(leak, {
    cause: Object.assign(new Error('inner'), { code: leak, headers: { authorization: CANARY } }),
  })
  const error = errorData('internal', { message: leak, param: leak, upstreamType: leak, upstreamCode: leak })
  log.exchange(exchangeRecord({ requestId: leak, model: leak, error, cause, outcome: 'failed', dropped: [leak] }))
  log.exchange(exchangeRecord({ error, cause: leak, outcome: 'failed' }))
  for (const write of [log.info, log.warn, log.error]) {
    write.call(log, { url: leak, deep: { headers: [['authorization', leak]] }, error: cause }, leak)
    write.call(log, cause, 'thrown')
  }
  t.equal(lines.length, 8)
  for (const line of lines) {
    t.notMatch(line, CANARY)
    t.notMatch(line, '0123456789')
    JSON.parse(line)
  }
  t.end()
})

test('whatever a client names its model, the line stays one line, short and readable', (t) => {
  const { log, lines, parsed } = setUp()
  log.exchange(exchangeRecord({ model: `a\r\n{"level":"error"}\u2028\u0000\u001b[31m${'b'.repeat(100_000)}\ud800` }))
  t.equal(lines.length, 1)
  t.equal(lines[0]?.indexOf('\n'), (lines[0]?.length ?? 0) - 1)
  for (const control of ['\r', '\0', '\u001b']) t.notOk(lines[0]?.includes(control))
  t.ok((lines[0]?.length ?? 0) < 2000)
  t.match(parsed()[0]?.model, /^a\r\n\{"level"/)
  t.end()
})

test('every error of the catalogue makes a line that can be parsed', (t) => {
  const { log, parsed } = setUp()
  const codes = Object.keys(ERROR_CATALOGUE) as (keyof typeof ERROR_CATALOGUE)[]
  for (const code of codes) log.exchange(exchangeRecord({ outcome: 'failed', error: errorData(code) }))
  t.same(
    parsed().map(({ error }) => (error as { code: string }).code),
    codes,
  )
  t.end()
})

test('pretty is for people', (t) => {
  const { log, lines } = setUp({ format: 'pretty' })
  log.exchange(exchangeRecord())
  log.info({ port: 3000 }, 'listening')
  t.match(lines[0], /INFO {2}200 complete {2}chat\/sse {2}fast -> north\/north-large/)
  t.match(lines[1], /INFO {2}listening {2}\{"port":3000\}\n$/)
  t.end()
})

test('a file gets the lines, its folder is made, and what was there stays', async (t) => {
  const file = join(t.testdir(), 'deep', 'gateway.log')
  for (const message of ['first', 'second']) {
    const log = createLog({ level: 'info', file, format: 'json' }, { secrets: [] })
    log.info({}, message)
    await log.flush()
  }
  t.match(readFileSync(file, 'utf8').split('\n'), [/first/, /second/, ''])
})

test('a file that cannot be opened is a mistake of the configuration', (t) => {
  const file = join(t.testdir({ taken: 'a file' }), 'taken', 'log')
  t.throws(() => createLog({ level: 'info', file, format: 'json' }, { secrets: [] }), {
    message: `log.file ${file} cannot be opened for writing (EEXIST).`,
  })
  t.end()
})

test('a log file that cannot be opened anew is a warning in the one before', async (t) => {
  const { log, parsed } = setUp()
  const destination = {
    write: () => {},
    flush: async () => {},
    reopen: async () => Promise.reject(new GatewayError('misconfigured', { message: 'No.' })),
  }
  await reopenLog(destination, log, 'reopen')
  await reopenLog(destination, log, 'reopenIfMoved')
  t.match(parsed(), [{ level: 'warn', reason: 'No.', msg: 'log file reopen failed' }])
  t.equal(parsed().length, 1, 'a destination that is no file has nothing to follow')
})

test('what the server is at fault for is a warning, whatever became of it', async (t) => {
  const { log, parsed } = setUp()
  for (const [outcome, status] of [
    ['rejected', 502],
    ['limit', 503],
    ['limit', 429],
    ['rejected', 404],
    ['complete', 200],
  ] as const) {
    log.exchange(exchangeRecord({ outcome, status }))
  }
  t.same(
    parsed().map(({ level }) => level),
    ['warn', 'warn', 'info', 'info', 'info'],
  )
})
