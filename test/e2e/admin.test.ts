// The admin API of a started gateway with two event loops: every route with each kind of key, streams of both loops, a reload, and no
// secret anywhere.

import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { createAdminRoutes } from '../../src/admin/routes/all-routes.js'
import { adminContext } from '../helpers/admin.js'
import { type Running, startGateway } from '../helpers/gateway.js'
import { openRaw, post } from '../helpers/raw-http.js'
import { type ScriptedCall, type ScriptedSse, scriptedSse } from '../helpers/scripted-sse.js'

const WRITE = 'CANARY-write-0123456789'
const READ = 'CANARY-read-0123456789'
const CLIENT = 'CANARY-client-0123456789'
const UPSTREAM = 'CANARY-upstream-0123456789'
const CONFIG_FILE = 'sluice.json'
const chunk = (delta: object, reason: string | null = null) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: reason }] })}\n\n`
const word = (text: string) => chunk({ content: text })
const END = `${chunk({}, 'stop')}data: [DONE]\n\n`

type Client = { readonly call: ScriptedCall; text(): string; until(part: string): Promise<void> }

async function start(t: Test) {
  const upstream = await scriptedSse(t)
  const config = {
    server: { threads: 2 },
    admin: { port: 0, keys: [{ name: 'board', key: READ }] },
    keys: [{ name: 'app', key: CLIENT }],
    providers: { up: { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1`, apiKey: UPSTREAM } },
    limits: { failedKeysPerMinute: 500 },
  }
  const gateway = await startGateway(t, { config, env: { ADMIN_KEY: WRITE } })
  const admin = String((await gateway.logLine(({ msg }) => msg === 'listening')).admin)
  const seen: string[] = []
  const ask = async (method: string, path: string, { key = WRITE, headers = {} }: Asked = {}) => {
    const authorization = key === '' ? {} : { authorization: `Bearer ${key}` }
    const answer = await fetch(`${admin}${path}`, { method, headers: { ...authorization, ...headers } })
    const text = await answer.text()
    seen.push(text)
    return { status: answer.status, json: text === '' ? null : JSON.parse(text) }
  }
  return { upstream, gateway, admin, ask, seen, config }
}
type Asked = { key?: string; headers?: Record<string, string> }

/** A stream with its first word, on whichever loop its connection came to. */
async function begin(gateway: Running, upstream: ScriptedSse, model: string): Promise<Client> {
  const socket = await openRaw(Number(new URL(gateway.origin).port))
  let text = ''
  socket.on('error', () => undefined)
  socket.on('data', (bytes: Buffer) => {
    text += bytes.toString()
  })
  const body = JSON.stringify({ model: `up/${model}`, stream: true, messages: [{ role: 'user', content: 'Hi' }] })
  socket.write(post('/v1/chat/completions', body, `x-api-key: ${CLIENT}\r\nx-request-id: of-${model}\r\n`))
  const call = await upstream.for(model)
  call.write(word(`${model} begins`))
  const until = async (part: string): Promise<void> => {
    while (!text.includes(part)) await once(socket, 'data')
  }
  await until(' begins')
  return { call, text: () => text, until }
}

test('operators see and cancel streams of both loops, watch them, pause providers, and leave a trail', async (t) => {
  const { upstream, gateway, admin, ask, seen, config } = await start(t)

  await t.test('every route wants a key, changes want the role write', async (t) => {
    // A session begins without a key in its headers: see e2e/console-live.test.ts and admin/http/session.test.ts.
    const isSession = ({ path }: { path: string }) => path === '/admin/v1/session'
    const routes = createAdminRoutes(adminContext([]).context).filter((route) => !isSession(route))
    for (const { method, path, role } of routes) {
      const url = path.replace(/:\w+/, 'nothing')
      const statusFor = async (key: string) => (await ask(method, url, { key })).status
      t.equal(await statusFor(''), 401, `${method} ${path} without a key`)
      t.equal(await statusFor('CANARY-wrong-0123456789'), 401, `${method} ${path} with a wrong key`)
      t.equal(await statusFor(CLIENT), 401, `${method} ${path} with a gateway key`)
      const asReader = await statusFor(READ)
      const asWriter = await statusFor(WRITE)
      if (role === 'read')
        t.ok([200, 400, 404, 409].includes(asReader) && asReader === asWriter, `${method} ${path}: ${asReader}`)
      else t.ok(asReader === 403 && [400, 404, 409].includes(asWriter), `${method} ${path}: ${asReader}, ${asWriter}`)
    }
    t.equal(
      (await fetch(`${gateway.origin}/admin/v1/streams`, { headers: { authorization: `Bearer ${WRITE}` } })).status,
      404,
    )
  })

  await t.test('streams of both loops are listed, watched beside their client, and cancelled', async (t) => {
    const clients: Client[] = []
    const loops = new Map<number, { id: string; client: Client; model: string }>()
    for (let i = 0; loops.size < 2; i++) {
      const model = `m${i}`
      const client = await begin(gateway, upstream, model)
      clients.push(client)
      const { json } = await ask('GET', `/admin/v1/streams?requestId=of-${model}`, { key: READ })
      t.match(json.data, [
        { key: 'app', model: `up/${model}`, target: `up/${model}`, state: 'streaming', transport: 'sse' },
      ])
      loops.set(json.data[0].loop, { id: json.data[0].id, client, model })
    }
    t.equal((await ask('GET', '/admin/v1/streams')).json.total, clients.length)
    for (const [loop, { id, client, model }] of loops) {
      const headers = { authorization: `Bearer ${READ}` }
      const watch = await fetch(`${admin}/admin/v1/streams/${encodeURIComponent(id)}/watch`, { headers })
      const events = readEvents(watch)
      t.match(await events.next(), { event: 'stream', data: { id, loop } })
      client.call.write(word(`${model} goes on`))
      t.match(await events.next(), { event: 'frames', data: { text: new RegExp(`${model} goes on`) } })
      const watchedOnly = await fetch(`${admin}/admin/v1/streams/${encodeURIComponent(id)}/watch`, { headers })
      await watchedOnly.body?.cancel()
      t.equal((await ask('DELETE', `/admin/v1/streams/${encodeURIComponent(id)}`)).status, 204, `loop ${loop}`)
      await client.until('operator of the gateway cancelled')
      t.notMatch(client.text(), /\[DONE\]/)
      await client.call.closed
      t.match(await events.next(), { event: 'end', data: { outcome: 'client_gone', error: { code: 'client_gone' } } })
      t.match(await gateway.exchange(`of-${model}`), { outcome: 'client_gone', cancelledBy: 'admin' })
      t.equal((await ask('DELETE', `/admin/v1/streams/${encodeURIComponent(id)}`)).status, 404, 'it has ended')
    }
    for (const { call } of clients) call.write(END)
    for (const { call } of clients) call.end()
  })

  await t.test('the last requests are those of the log, of both loops', async (t) => {
    const { json } = await ask('GET', '/admin/v1/requests?outcome=client_gone', { key: READ })
    const loops = new Set(json.data.map(({ loop }: { loop: number }) => loop))
    t.equal(loops.size, 2)
    const [newest] = json.data
    const line = await gateway.exchange(newest.id)
    t.match(line, { target: newest.target, totalMs: newest.totalMs, cancelledBy: 'admin' })
  })

  await t.test('a paused provider gets nothing from any loop, until it is resumed', async (t) => {
    t.match((await ask('POST', '/admin/v1/providers/up/pause')).json, { name: 'up', paused: true })
    const body = JSON.stringify({ model: 'up/m', messages: [{ role: 'user', content: 'Hi' }] })
    const chat = () =>
      fetch(`${gateway.origin}/v1/chat/completions`, {
        ...{ method: 'POST', body },
        headers: { 'content-type': 'application/json', 'x-api-key': CLIENT, connection: 'close' },
      })
    for (const { status } of await Promise.all(Array.from({ length: 12 }, chat))) t.equal(status, 503)
    t.match((await ask('GET', '/admin/v1/providers')).json.data, [{ name: 'up', paused: true, breaker: 'closed' }])
    t.equal((await ask('POST', '/admin/v1/providers/up/resume')).json.paused, false)
    const again = await begin(gateway, upstream, 'after')
    again.call.write(END)
    again.call.end()
    await again.until('[DONE]')
  })

  await t.test('a reload shows what it changed, and takes other keys', async (t) => {
    t.match((await ask('GET', '/admin/v1/config')).json, {
      ...{ reload: null, origins: { 'admin.key': 'ADMIN_KEY', 'server.threads': `${CONFIG_FILE}:1` } },
      config: { providers: { up: { apiKey: '********' } } },
    })
    const next = { ...config, server: { ...config.server, port: 0, keepaliveMs: 7777 } }
    const admin = { ...config.admin, keys: [{ name: 'other', key: 'CANARY-other-0123456789' }] }
    const file = join(gateway.folder, CONFIG_FILE)
    t.ok(readFileSync(file, 'utf8').includes('board'))
    writeFileSync(file, JSON.stringify({ ...next, admin }))
    gateway.child.kill('SIGHUP')
    await gateway.logLine(({ msg }) => msg === 'configuration reloaded')
    t.equal((await ask('GET', '/admin/v1/config', { key: READ })).status, 401)
    const { json } = await ask('GET', '/admin/v1/config', { key: 'CANARY-other-0123456789' })
    t.match(json.reload, { result: 'ok' })
    const changed = json.reload.changes.map(({ path }: { path: string }) => path)
    t.ok(changed.includes('server.keepaliveMs'), changed.join())
  })

  const { data } = (await ask('GET', '/admin/v1/audit')).json
  const actions = new Set(data.map(({ action }: { action: string }) => action))
  t.same([...actions].sort(), ['provider.pause', 'provider.resume', 'stream.cancel', 'stream.watch'])
  t.equal(gateway.lines.filter(({ msg }) => msg === 'admin action').length, data.length, 'each is a line of the log')
  t.equal(await gateway.stop(), 0)
  const said = [...seen, ...gateway.output, gateway.errorOutput].join('\n')
  t.notMatch(said, /CANARY/, 'no secret is in a log, an answer or an error')
})

test('a key of the database is created, used on both loops, rotated, changed and deleted, and the audit has all of it', async (t) => {
  const upstream = await scriptedSse(t)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-admin-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const config = {
    server: { threads: 2 },
    admin: { port: 0 },
    accounts: { store: 'sqlite', path: join(folder, 'accounts.db') },
    providers: { up: { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1` } },
  }
  const gateway = await startGateway(t, { config, env: { ADMIN_KEY: WRITE } })
  const admin = String((await gateway.logLine(({ msg }) => msg === 'listening')).admin)
  const ask = async (method: string, path: string, body?: object) => {
    const headers = { authorization: `Bearer ${WRITE}`, 'content-type': 'application/json' }
    const init = body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) }
    const answer = await fetch(`${admin}/admin/v1${path}`, init)
    const text = await answer.text()
    return { status: answer.status, json: text === '' ? null : JSON.parse(text) }
  }
  /** Statuses that connections to either loop get. */
  const statusesWith = async (key: string): Promise<number[]> => {
    const headers = { authorization: `Bearer ${key}`, connection: 'close' }
    const answers = Array.from({ length: 12 }, () => fetch(`${gateway.origin}/v1/models`, { headers }))
    return [...new Set((await Promise.all(answers)).map(({ status }) => status))]
  }
  const created = await ask('POST', '/keys', { name: 'app1' })
  t.equal(created.status, 201)
  const { secret } = created.json
  t.same(await statusesWith(secret), [200], 'known to both loops when the answer comes')
  const rotated = await ask('POST', '/keys/app1/rotate', { overlapMs: 60_000 })
  for (const each of [secret, rotated.json.secret]) t.same(await statusesWith(each), [200])
  t.equal((await ask('PATCH', '/keys/app1', { disabled: true })).status, 200)
  t.same(await statusesWith(secret), [401])
  t.equal((await ask('DELETE', '/keys/app1')).status, 204)
  await ask('POST', '/providers/up/pause')
  const { data } = (await ask('GET', '/audit')).json
  t.same(
    data.map(({ action, by }: { action: string; by: string }) => `${action} ${by}`),
    ['provider.pause', 'key.delete', 'key.update', 'key.rotate', 'key.create'].map((action) => `${action} admin`),
  )
  t.equal(await gateway.stop(), 0)
  const said = [JSON.stringify(data), ...gateway.output, gateway.errorOutput].join('\n')
  for (const each of [secret, rotated.json.secret, WRITE]) t.notOk(said.includes(each), 'no secret is said')

  const next = await startGateway(t, { config, env: { ADMIN_KEY: WRITE } })
  const nextAdmin = String((await next.logLine(({ msg }) => msg === 'listening')).admin)
  const headers = { authorization: `Bearer ${WRITE}` }
  const providers = await (await fetch(`${nextAdmin}/admin/v1/providers`, { headers })).json()
  t.match(providers, { data: [{ name: 'up', paused: true }] }, 'a pause outlasts the process')
})

type Event = { readonly event: string; readonly data: unknown }

/** Reads a stream of events one by one. */
function readEvents(answer: Response) {
  const reader = answer.body?.getReader()
  const decoder = new TextDecoder()
  let text = ''
  return {
    async next(): Promise<Event> {
      for (;;) {
        const found = /^event: (\w+)\ndata: (.*)\n\n/m.exec(text)
        if (found !== null) {
          text = text.slice(found.index + found[0].length)
          return { event: found[1] ?? '', data: JSON.parse(found[2] ?? '') }
        }
        const piece = await reader?.read()
        if (piece === undefined || piece.done) throw new Error(`no further event: ${text}`)
        text += decoder.decode(piece.value, { stream: true })
      }
    },
  }
}
