// Logging in by a browser: what a session may, what it needs, when it ends, and what is on record of it.
import { test } from 'tap'
import { adminContext, FakeLoop, READ_KEY, startAdmin, WRITE_KEY } from '../../../helpers/admin.js'

const START = { streams: () => [], pause: () => null, providers: () => [] }
const PROVIDER = { name: 'north', protocol: 'p', baseUrl: 'http://127.0.0.1', breaker: 'closed' }

type LoggedIn = { readonly name: string; readonly role: string; readonly token: string }

async function prepare(t: Parameters<typeof startAdmin>[0]) {
  const { context, events } = adminContext([new FakeLoop(START)], { providers: () => [PROVIDER] })
  const { url } = await startAdmin(t, context)
  const logIn = async (key: string) => {
    const answer = await fetch(`${url}/admin/v1/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ key }),
    })
    const setCookie = answer.headers.get('set-cookie') ?? ''
    return {
      status: answer.status,
      setCookie,
      cookie: setCookie.split(';')[0] ?? '',
      json: (await answer.json()) as LoggedIn,
    }
  }
  const ask = async (method: string, path: string, headers: Record<string, string>) => {
    const answer = await fetch(`${url}/admin/v1${path}`, { method, headers })
    const text = await answer.text()
    return { status: answer.status, json: text === '' ? null : JSON.parse(text), headers: answer.headers }
  }
  return { logIn, ask, events }
}

test('a key opens a session, whose cookie and token may what the key may', async (t) => {
  const { logIn, ask, events } = await prepare(t)
  const { status, setCookie, cookie, json } = await logIn(WRITE_KEY)
  t.equal(status, 200)
  t.match(setCookie, /^sluice-admin-\d+=[\w-]{43}; Path=\/admin\/v1; Max-Age=43200; HttpOnly; SameSite=Strict$/)
  t.match(json, { name: 'oncall', role: 'write', token: /^[\w-]{43}$/ })
  const headers = { cookie, 'x-csrf-token': json.token }
  t.match(await ask('GET', '/session', headers), { status: 200, json: { name: 'oncall', role: 'write' } })
  t.match(await ask('GET', '/streams', headers), { status: 200 })
  t.match(await ask('POST', '/providers/north/pause', headers), { status: 200, json: { paused: true } })
  t.match(events, [
    { by: 'oncall', action: 'session.open', target: 'oncall' },
    { by: 'oncall', action: 'provider.pause', target: 'north' },
  ])
})

test('the cookie alone, the token alone, or those of two sessions are nothing', async (t) => {
  const { logIn, ask, events } = await prepare(t)
  const [one, two] = [await logIn(WRITE_KEY), await logIn(WRITE_KEY)]
  for (const headers of [
    { cookie: one.cookie },
    { 'x-csrf-token': one.json.token },
    { cookie: one.cookie, 'x-csrf-token': two.json.token },
    { cookie: `${one.cookie}x`, 'x-csrf-token': one.json.token },
  ] as Record<string, string>[]) {
    t.match(await ask('POST', '/providers/north/pause', headers), { status: 401 })
    t.match(await ask('GET', '/streams', headers), { status: 401 })
  }
  t.equal(events.length, 2, 'only the two logins')
})

test('a session of a key that may only look changes nothing', async (t) => {
  const { logIn, ask } = await prepare(t)
  const { cookie, json } = await logIn(READ_KEY)
  t.match(json, { name: 'board', role: 'read' })
  const headers = { cookie, 'x-csrf-token': json.token }
  t.match(await ask('GET', '/streams', headers), { status: 200 })
  t.match(await ask('POST', '/providers/north/pause', headers), { status: 403 })
})

test('logging out ends the session, and a key in a header has none to end', async (t) => {
  const { logIn, ask, events } = await prepare(t)
  const { cookie, json } = await logIn(READ_KEY)
  const headers = { cookie, 'x-csrf-token': json.token }
  const out = await ask('DELETE', '/session', headers)
  t.equal(out.status, 204)
  t.match(out.headers.get('set-cookie'), /^sluice-admin-\d+=; .*Max-Age=0/)
  t.match(await ask('GET', '/session', headers), { status: 401 })
  const bearer = await ask('DELETE', '/session', { authorization: `Bearer ${READ_KEY}` })
  t.same([bearer.status, bearer.headers.get('set-cookie')], [204, null])
  t.same(
    events.map(({ action }) => action),
    ['session.open', 'session.end'],
  )
})

test('a wrong key opens nothing', async (t) => {
  const { logIn, events } = await prepare(t)
  for (const key of ['', 'wrong-key-0123456789', `${WRITE_KEY} `]) {
    const { status, setCookie } = await logIn(key)
    t.same([status, setCookie], [401, ''])
  }
  t.same(events, [])
})
