// Trials against a real gateway: under which key, at which path, and what is on record.
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'tap'
import { READ_KEY, startConsole, WRITE_KEY } from '../helpers/console.js'
import { reload } from '../helpers/reload.js'

const CHAT = 'v1%2Fchat%2Fcompletions'
const MODELS = { fast: 'openai/echo', calm: 'anthropic/echo' }
const BODY = { model: 'openai/echo', messages: [{ role: 'user', content: 'as it is' }] }

test('a trial is a request of the key: of the file or the database, with its models and limits, in each API', async (t) => {
  const accounts = { store: 'sqlite', path: join(t.testdir(), 'accounts.db') }
  const { gateway, admin } = await startConsole(t, { tokensPerSec: 400, config: { accounts, models: MODELS } })
  const ask = async (method: string, path: string, body: object | null = null, key = WRITE_KEY) => {
    const answer = await fetch(`${admin}/admin/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body === null ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    return { status: answer.status, text, id: answer.headers.get('x-request-id') ?? '' }
  }
  await ask('POST', '/keys', { name: 'small', models: ['calm'] })
  const whole = await ask('POST', `/try/${CHAT}?key=app`, BODY)
  t.match(JSON.parse(whole.text), { choices: [{ message: { content: 'as it is' } }] })
  t.match(await gateway.exchange(whole.id), { key: 'app', outcome: 'complete', address: '127.0.0.1' })
  const stream = await ask('POST', `/try/${CHAT}?key=app`, { ...BODY, stream: true })
  t.match(stream.text, /data: \[DONE\]\n\n$/)
  const messages = await ask('POST', '/try/v1%2Fmessages?key=small', {
    ...BODY,
    model: 'calm',
    max_tokens: 9,
  })
  t.match(JSON.parse(messages.text), { type: 'message', content: [{ text: 'as it is' }] })
  t.match(await gateway.exchange(messages.id), { key: 'small' })
  t.match(await ask('POST', `/try/${CHAT}?key=small`, BODY), { status: 403 }, 'a model that the key may not use')

  const { text } = await ask('GET', '/models?key=small', null, READ_KEY)
  const ids = (JSON.parse(text) as { data: { id: string }[] }).data.map(({ id }) => id)
  t.same(ids, ['calm'])

  t.match(await ask('POST', `/try/${CHAT}?key=app`, BODY, READ_KEY), { status: 403 })
  t.match(await ask('POST', `/try/${CHAT}?key=none`, BODY), { status: 404, text: /No such key/ })
  t.match(await ask('POST', `/try/${CHAT}`, BODY), { status: 400, text: /needs the name of a key/ })
  t.match(await ask('POST', '/try/v1%2Ffiles?key=app', BODY), { status: 404, text: /v1\/chat\/completions/ })
  await ask('PATCH', '/keys/small', { disabled: true })
  t.match(await ask('POST', '/try/v1%2Fmessages?key=small', BODY), { status: 409, text: /disabled or has expired/ })
  const audit = JSON.parse((await ask('GET', '/audit?limit=100')).text) as { data: { action: string }[] }
  const tried = audit.data.filter(({ action }) => action === 'try')
  t.match(tried, Array(4).fill({ by: 'admin', action: 'try' }))
  t.match(tried[0], { target: '/v1/chat/completions', after: { key: 'small' } })
})

test('a trial at a path that names the model, or below a prefix, is one too', async (t) => {
  const { gateway, admin } = await startConsole(t, { tokensPerSec: 400 })
  const ask = async (path: string, body: object) => {
    const answer = await tryAt(admin, path, body)
    const id = answer.headers.get('x-request-id') ?? ''
    return { status: answer.status, text: await answer.text(), id }
  }
  const contents = [{ role: 'user', parts: [{ text: 'as it is' }] }]
  const named = await ask('v1beta/models/openai/echo:streamGenerateContent?alt=sse', { contents })
  t.match(named.text, /^data: \{.*"text":"as".*"finishReason":"STOP"/s)
  t.match(await gateway.exchange(named.id), { key: 'app', model: 'openai/echo', transport: 'sse' })
  const lines = await ask('ollama/api/chat', BODY)
  t.match(lines.text, /"done":true.*\}\n$/s)
  t.match(await gateway.exchange(lines.id), { key: 'app', transport: 'ndjson' })
  t.match(await ask('v1beta/models/none:generateContent', { contents }), { status: 404, text: /none/ })
  t.match(await ask('v1beta/models/:generateContent', { contents }), { status: 400, text: /must name a model/ })
})

test('without gateway keys a trial needs none', async (t) => {
  const { gateway, admin } = await startConsole(t, { tokensPerSec: 400, config: { keys: [] } })
  const answer = await fetch(`${admin}/admin/v1/try/${CHAT}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${WRITE_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify(BODY),
  })
  t.equal(answer.status, 200)
  t.match(await gateway.exchange(answer.headers.get('x-request-id') ?? ''), { key: null, outcome: 'complete' })
})

const SECOND_KEY = 'admin-second-key-0123456789'
const SLOW = { model: 'openai/lorem-max', stream: true, max_tokens: 10_000, messages: BODY.messages }
const tryBy = (admin: string, key: string, body: object) => tryAt(admin, 'v1/chat/completions', body, key)
const tryAt = (admin: string, path: string, body: object, key = WRITE_KEY) =>
  fetch(`${admin}/admin/v1/try/${encodeURIComponent(path)}?key=app`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

test('a trial that is begun during a drain is refused like any other request', async (t) => {
  const server = { drainMs: 60_000, drainGraceMs: 0 }
  const { gateway, admin } = await startConsole(t, { tokensPerSec: 20, config: { server } })
  const running = await tryBy(admin, WRITE_KEY, SLOW)
  t.equal(running.status, 200)
  gateway.child.kill('SIGTERM')
  let answer = await tryBy(admin, WRITE_KEY, BODY)
  while (answer.status === 200) {
    await answer.text()
    answer = await tryBy(admin, WRITE_KEY, BODY)
  }
  t.equal(answer.status, 503)
  t.match(await answer.json(), { error: { code: 'draining' } })
  // The trial that ran is what the drain waits for.
  const ended = once(gateway.child, 'exit')
  await running.body?.cancel()
  t.same(await ended, [0, null])
})

test('a trial that runs is cancelled when a reload removes the admin key that began it, and no other is', async (t) => {
  const keys = [
    { name: 'board', key: READ_KEY, role: 'read' },
    { name: 'second', key: SECOND_KEY, role: 'write' },
  ]
  const { gateway, admin, config } = await startConsole(t, { config: { admin: { port: 0, keys } } })
  const running = await tryBy(admin, SECOND_KEY, SLOW)
  const other = await tryBy(admin, WRITE_KEY, SLOW)
  t.same([running.status, other.status], [200, 200])
  const line = await reload(gateway, { ...config, admin: { port: 0, keys: keys.slice(0, 1) } })
  t.equal(line.msg, 'configuration reloaded')
  t.match(await running.text(), /"error":/)
  const id = running.headers.get('x-request-id') ?? ''
  t.match(await gateway.exchange(id), { outcome: 'client_gone', cancelledBy: 'reload' })
  const reader = other.body?.getReader()
  t.equal((await reader?.read())?.done, false)
  const { data } = (await (
    await fetch(`${admin}/admin/v1/streams`, { headers: { authorization: `Bearer ${WRITE_KEY}` } })
  ).json()) as { data: { requestId: string }[] }
  t.same(
    data.map(({ requestId }) => requestId),
    [other.headers.get('x-request-id')],
  )
  await reader?.cancel()
})
