// Header lists: what is in them, who wins, and what may never be set.
import { test } from 'tap'
import { GatewayError } from '../../src/errors.js'
import { buildHeaders, withCallerKey, withParameters } from '../../src/upstream/auth.js'
import { testProvider } from '../helpers/targets.js'

const URL = 'http://127.0.0.1:1/v1'

function toMap(list: readonly string[]): Record<string, string> {
  const map: Record<string, string> = {}
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i] ?? ''
    if (name in map) throw new Error(`${name} twice`)
    map[name] = list[i + 1] ?? ''
  }
  return map
}

test('builds one list for streams and one for whole answers', (t) => {
  const fixed = buildHeaders(testProvider(URL, { apiKey: 'k1' }), {})
  t.same(toMap(fixed.whole), {
    'user-agent': 'sluice',
    'content-type': 'application/json',
    accept: 'application/json',
    'accept-encoding': 'identity',
    authorization: 'Bearer k1',
  })
  t.equal(toMap(fixed.stream).accept, 'text/event-stream')
  t.end()
})

test('sends the key as the provider wants it', (t) => {
  const header = { kind: 'header' as const, name: 'X-API-Key' }
  t.equal(toMap(buildHeaders(testProvider(URL, { apiKey: 'k', auth: header }), {}).whole)['x-api-key'], 'k')
  const none = buildHeaders(testProvider(URL, { apiKey: 'k', auth: { kind: 'none' } }), {})
  t.notMatch(none.whole.join(), 'k,')
  t.notOk(none.whole.includes('k'))
  t.notOk(buildHeaders(testProvider(URL), {}).whole.includes('authorization'))
  t.end()
})

test("a caller's key takes the place of every key of the operator's, wherever the operator has put it", (t) => {
  const headers = {
    authorization: 'Bearer operator',
    'x-api-key': 'operator',
    'api-key': 'operator',
    cookie: 'operator',
    'x-version': '3',
  }
  for (const auth of [{ kind: 'bearer' as const }, { kind: 'header' as const, name: 'X-API-Key' }]) {
    const provider = withCallerKey(testProvider(URL, { apiKey: 'operator', auth, headers }), 'own')
    const map = toMap(buildHeaders(provider, {}).whole)
    t.equal(
      auth.kind === 'bearer' ? map.authorization : map['x-api-key'],
      auth.kind === 'bearer' ? 'Bearer own' : 'own',
    )
    t.equal(map['x-version'], '3')
    t.notMatch(JSON.stringify(map), 'operator')
    t.equal(JSON.stringify(map).split('own').length, 2, 'once')
  }
  t.end()
})

test('the operator wins over the dialect, the dialect over our defaults', (t) => {
  const provider = testProvider(URL, { headers: { 'X-Version': '3', 'user-agent': 'mine' } })
  const map = toMap(buildHeaders(provider, { 'x-version': '1', accept: 'application/x-ndjson' }).stream)
  t.equal(map['x-version'], '3')
  t.equal(map['user-agent'], 'mine')
  t.equal(map.accept, 'application/x-ndjson')
  t.end()
})

test('a parameter header is added or replaces a default of the dialect, and nothing else', (t) => {
  const provider = testProvider(URL, { apiKey: 'k', headers: { 'x-fixed': 'op' } })
  const fixed = buildHeaders(provider, { 'x-version': '1', 'x-fixed': 'dialect' })
  const map = toMap(
    withParameters(fixed, true, {
      'x-version': '2',
      'x-beta': 'b',
      'x-fixed': 'client',
      authorization: 'Bearer stolen',
      host: 'evil',
      'content-length': '0',
      'bad name': 'x',
      'x-split': 'a\r\nb: c',
      'x-nul': 'a\0b',
    }),
  )
  t.match(map, { 'x-version': '2', 'x-beta': 'b', 'x-fixed': 'op', authorization: 'Bearer k' })
  for (const name of ['host', 'content-length', 'bad name', 'x-split', 'x-nul', 'b']) t.notOk(name in map, name)
  t.equal(map.accept, 'text/event-stream')
  t.end()
})

test('a value that equals a header name does no harm', (t) => {
  const fixed = buildHeaders(testProvider(URL, { apiKey: 'k' }), {})
  const map = toMap(withParameters(fixed, false, { 'x-a': 'authorization', 'x-b': 'accept' }))
  t.match(map, { authorization: 'Bearer k', accept: 'application/json', 'x-a': 'authorization' })
  t.end()
})

test('without parameter headers the prebuilt list itself is used', (t) => {
  const fixed = buildHeaders(testProvider(URL), {})
  t.equal(withParameters(fixed, true, {}), fixed.stream)
  t.equal(withParameters(fixed, false, { host: 'x' }), fixed.whole)
  t.end()
})

for (const [name, special] of [
  ['a key with a line break', { apiKey: 'sk-secret\n' }],
  ['a key beyond latin1', { apiKey: 'sk-secret€' }],
  ['a header name with a space', { headers: { 'bad name': 'sk-secret' } }],
  ['a connection header', { headers: { 'transfer-encoding': 'sk-secret' } }],
] as const) {
  test(`refuses ${name} at start without telling the value`, (t) => {
    try {
      buildHeaders(testProvider(URL, special), {})
      t.fail('not refused')
    } catch (error) {
      t.ok(error instanceof GatewayError && error.data.code === 'misconfigured')
      t.notMatch(String(error), /sk-secret/)
    }
    t.end()
  })
}
