// The console's way to the admin API: the session goes with each request, and its end is noticed once.
import { test } from 'tap'
import { AdminApi, ApiError, withQuery } from '../../src/console/api.js'

type Sent = { readonly url: string; readonly init: RequestInit }

/** An API that answers in turn. */
function prepare(...answers: readonly (readonly [status: number, body: object | null] | null)[]) {
  const shelf = new Map<string, string>()
  const sent: Sent[] = []
  const rest = [...answers]
  const send = (async (url: string, init: RequestInit) => {
    sent.push({ url, init })
    const [status, body] = rest.shift() ?? [0, null]
    if (status === 0) throw new TypeError('Failed to fetch')
    return new Response(body === null ? null : JSON.stringify(body), { status })
  }) as typeof fetch
  const api = new AdminApi(
    {
      getItem: (name) => shelf.get(name) ?? null,
      setItem: (name, value) => void shelf.set(name, value),
      removeItem: (name) => void shelf.delete(name),
    },
    send,
  )
  let ends = 0
  api.onLoggedOut = () => {
    ends += 1
  }
  return { api, sent, shelf, ends: () => ends }
}

const SESSION = [200, { name: 'oncall', role: 'write', token: 'tok' }] as const
const headersOf = ({ init }: Sent) => init.headers as Record<string, string>

test('the token of a login goes with each request, the key with none', async (t) => {
  const { api, sent } = prepare(SESSION, [200, { data: [] }], [204, null])
  t.equal(await api.who(), null, 'without a token it does not even ask')
  t.same(await api.logIn('the-key'), { name: 'oncall', role: 'write' })
  t.same(await api.get(withQuery('/streams', { key: 'a b', model: '', limit: 5 })), { data: [] })
  t.equal(await api.change('DELETE', '/streams/1', { ifMatch: '"7"' }), null)
  t.same(
    sent.map(({ url }) => url),
    ['/admin/v1/session', '/admin/v1/streams?key=a+b&limit=5', '/admin/v1/streams/1'],
  )
  t.same(headersOf(sent[2] as Sent), { 'x-csrf-token': 'tok', 'if-match': '"7"' })
  t.notMatch(JSON.stringify(sent.slice(1)), 'the-key')
})

test('errors say what the API says; the end of a session is noticed, a wrong key is none', async (t) => {
  const refusal = [401, { error: { code: 'unauthenticated', message: 'Gone.' } }] as const
  const { api, ends, shelf } = prepare(
    refusal,
    SESSION,
    [409, { error: { code: 'conflict', message: 'No.' } }],
    refusal,
  )
  await t.rejects(api.logIn('wrong'), { status: 401, message: 'Gone.' })
  t.equal(ends(), 0)
  await api.logIn('right')
  await t.rejects(api.change('POST', '/keys', { body: {} }), { status: 409, code: 'conflict', message: 'No.' })
  await t.rejects(api.get('/streams'), new ApiError(401, 'unauthenticated', 'Gone.'))
  t.equal(ends(), 1)
  t.equal(shelf.size, 0)
})

test('no answer is an error of its own, and who asks again is not logged out by it', async (t) => {
  const { api, ends } = prepare(SESSION, null, [502, null])
  await api.logIn('k')
  await t.rejects(api.who(), { status: 0, code: 'unreachable' })
  await t.rejects(api.who(), { status: 502, message: 'The answer was 502.' })
  t.equal(ends(), 0)
  await api.logOut()
  t.equal(ends(), 1)
})
