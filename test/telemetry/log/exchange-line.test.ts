// The line of an exchange is written by hand: it must be what a JSON writer would have made, with every text looked at.
import { test } from 'tap'
import { errorData, GatewayError } from '../../../src/errors.js'
import { createExchangeLine } from '../../../src/telemetry/log/exchange-line.js'
import { createRedactor, REDACTED } from '../../../src/telemetry/log/redact.js'
import { type ExchangeRecord } from '../../../src/telemetry/records.js'
import { exchangeRecord } from '../../helpers/exchange-record.js'

const SECRET = 'canary-0123456789-secret'
const MADE_OF_IDS = 'seed_1-aaaaaaaaa'

function setUp(ownIdSeed: string | null = null) {
  const searched: string[] = []
  const redactor = createRedactor([SECRET])
  const spied = {
    ...redactor,
    text(value: string): string {
      searched.push(value)
      return redactor.text(value)
    },
  }
  const line = createExchangeLine({ redactor: spied, ownIdSeed, timestamp: () => ',"time":"now"' })
  const read = (changes: Partial<ExchangeRecord>) => JSON.parse(line('info', exchangeRecord(changes)))
  return { line, read, searched }
}

test('a line is one JSON object with its line end, in the order of the fields', (t) => {
  const { line } = setUp()
  const text = line('info', exchangeRecord())
  t.equal(text.at(-1), '\n')
  t.equal(text.indexOf('\n'), text.length - 1)
  const parsed = JSON.parse(text)
  t.equal(`${JSON.stringify(parsed)}\n`, text)
  t.match(parsed, { level: 'info', time: 'now', id: 'req-1', msg: 'exchange', target: 'north/north-large' })
  t.end()
})

test('what is not there is null, and times are cut to microseconds', (t) => {
  const { read } = setUp()
  const none = { keyName: null, model: null, provider: null, timeToFirstTokenMs: null, overheadMs: null }
  t.match(read(none), { key: null, model: null, target: null, ttftMs: null, overheadMs: null })
  t.equal(read({ totalMs: 1500.123456 }).totalMs, 1500.123)
  t.match(read({ queuedMs: 250.0004, connectMs: 0 }), { queueMs: 250, connectMs: 0 })
  t.notOk('queueMs' in read({}) || 'connectMs' in read({}), 'most requests have neither')
  t.equal(read({ settleMs: 12.0004 }).settleMs, 12)
  t.notOk('settleMs' in read({ settleMs: 0.9 }) || 'settleMs' in read({}), 'most clients have their answer at once')
  t.end()
})

test('every foreign text is quoted as JSON wants it, however often it comes', (t) => {
  const { read } = setUp()
  const odd = 'a"b\\c\n\u0000\u2028\ud800'
  for (let i = 0; i < 2; i++) {
    const parsed = read({ requestId: odd, keyName: odd, model: odd, provider: odd, dropped: [odd, 'top_k'] })
    t.same(
      [parsed.id, parsed.key, parsed.model, parsed.target, parsed.dropped],
      [odd, odd, odd, `${odd}/north-large`, [odd, 'top_k']],
    )
  }
  t.end()
})

test('a secret in a text is not in the line, the second time neither', (t) => {
  const { line } = setUp()
  const error = errorData('internal', {
    message: `x ${SECRET}`,
    param: SECRET,
    upstreamType: SECRET,
    upstreamCode: SECRET,
  })
  const cause = new Error(SECRET)
  for (let i = 0; i < 2; i++) {
    const text = line(
      'error',
      exchangeRecord({
        requestId: SECRET,
        keyName: SECRET,
        model: SECRET,
        provider: SECRET,
        dropped: [SECRET],
        error,
        cause,
      }),
    )
    t.notMatch(text, SECRET)
    t.match(JSON.parse(text), {
      id: REDACTED,
      model: REDACTED,
      error: { message: `x ${REDACTED}`, cause: { name: 'Error' } },
    })
  }
  t.end()
})

test('an error that is shared has each request’s own cause beside it', (t) => {
  const { read } = setUp()
  const { data: error } = GatewayError.shared('overloaded')
  const causeOf = (cause?: unknown) => (read({ error, cause }).error as { cause?: { message: string } }).cause?.message
  t.same(
    [causeOf(), causeOf(new Error('first')), causeOf(new Error('second')), causeOf()],
    [undefined, 'first', 'second', undefined],
  )
  t.end()
})

test('an id of our own is not searched; one that only begins like it is', (t) => {
  const { read, searched } = setUp('seed_1')
  t.equal(read({ requestId: 'seed_1-zzzzzzzz' }).id, 'seed_1-zzzzzzzz')
  t.notOk(searched.some((text) => text.startsWith('seed_1')))
  for (const requestId of [MADE_OF_IDS, `seed_1-${SECRET}`, 'seed_2-1']) {
    read({ requestId })
    t.ok(searched.includes(requestId), requestId)
  }
  t.end()
})

test('a text that came before is not searched again, and a thousand others are not kept', (t) => {
  const { read, searched } = setUp()
  read({ model: 'again' })
  read({ model: 'again' })
  t.equal(searched.filter((text) => text === 'again').length, 1)
  for (let i = 0; i < 1000; i++) read({ model: `model-${i}` })
  read({ model: 'again' })
  t.equal(searched.filter((text) => text === 'again').length, 2)
  t.end()
})

test('where a request came from is in the line, and what of it is a secret is not', (t) => {
  const { read } = setUp()
  const origin = { method: 'POST', path: '/v1/chat/completions', address: '203.0.113.9', agent: 'curl/8' }
  t.match(read({ origin }), origin)
  t.match(read({ origin: { ...origin, address: '', agent: '' } }), { address: null, agent: null })
  const socket = { connection: 'c-1', chat: `chat ${SECRET}` }
  const parsed = read({ origin: { ...origin, path: `/${SECRET}`, agent: SECRET, socket } })
  t.match(parsed, { path: `/${REDACTED}`, agent: REDACTED, connection: 'c-1', chat: `chat ${REDACTED}` })
  t.match(read({ origin: { ...origin, socket: { connection: 'c-2', chat: null } } }), { connection: 'c-2', chat: null })
  t.notOk('method' in read({}))
  t.end()
})

test('lists several attempts one by one; a single one is described by the line itself', (t) => {
  const { read } = setUp()
  const error = errorData('upstream_rejected', { message: `no ${SECRET}`, upstreamStatus: 500 })
  const failed = { provider: 'north', model: 'large', result: 'rejected', error, ms: 12.34567 } as const
  const answered = { provider: 'south', model: 'large', result: 'ok', error: null, ms: 5 } as const
  t.same(read({ tries: [failed, answered] }).tries, [
    {
      target: 'north/large',
      result: 'rejected',
      code: 'upstream_rejected',
      status: 500,
      message: `no ${REDACTED}`,
      ms: 12.346,
    },
    { target: 'south/large', result: 'ok', ms: 5 },
  ])
  t.notOk('tries' in read({ tries: [failed] }))
  t.notOk('tries' in read({ tries: null }))
  t.notOk('stream' in read({ stream: null }))
  t.match(read({ stream: 'str_00Ab-_9xY' }), { stream: 'str_00Ab-_9xY' })
  t.notOk('shared' in read({ shared: null }))
  t.match(read({ shared: { how: 'follower', requestId: 'seed-1' } }), { shared: 'follower', sharedFrom: 'seed-1' })
  t.match(read({ shared: { how: 'hit', requestId: SECRET } }), { sharedFrom: REDACTED })
  t.match(read({ upstreamRequestId: `req_${SECRET}` }), { upstreamId: `req_${REDACTED}` })
  t.end()
})

test('the cost is in dollars, and what has no price is counted; where none is computed neither is there', (t) => {
  const { read } = setUp()
  t.match(read({ costNano: 285_000, unpricedAttempts: 2 }), { cost: 0.000285, unpriced: 2 })
  const none = read({})
  t.notOk('cost' in none)
  t.notOk('unpriced' in none)
  t.end()
})

test('the id of its trace is in the line of a traced request, sampled or not', (t) => {
  const { read } = setUp()
  const trace = {
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    spanId: 's',
    parentId: null,
    isSampled: false,
    state: '',
  }
  t.equal(read({ trace }).traceId, trace.traceId)
  t.notOk('traceId' in read({}))
  t.end()
})

test('the end user is in the line as the client named it, without secrets', (t) => {
  const { read } = setUp()
  t.equal(read({ endUser: 'user "7"\n' }).endUser, 'user "7"\n')
  t.equal(read({ endUser: `u ${SECRET}` }).endUser, `u ${REDACTED}`)
  t.notOk('endUser' in read({}))
  t.end()
})
