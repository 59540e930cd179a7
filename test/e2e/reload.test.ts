// A gateway that takes a new configuration while it works: nothing is dropped, nothing is forgotten, and nothing that is wrong
// gets in. By signal where a test needs many reloads, by the file alone where that is the question.
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { t as tap, test } from 'tap'
import { request } from 'undici'
import WebSocket from 'ws'
import { type Running, simulatedProviders, startGateway, startSimulator, type Teardown } from '../helpers/gateway.js'
import { startHeldUpstream } from '../helpers/held-upstream.js'
import { JobClient } from '../helpers/job-client.js'
import { sampleValue } from '../helpers/prometheus.js'
import { METRICS_TOKEN, reload, scrape } from '../helpers/reload.js'
import { answer, chunk, LAST_CHUNK, ScriptedUpstream, streamHead } from '../helpers/scripted-upstream.js'

const KEY_A = 'key-of-team-a-0123456789'
const KEY_B = 'key-of-team-b-0123456789'
const team = (name: string, key: string, limits: object = {}) => ({ name, key, limits })

type Chat = { readonly key?: string; readonly model?: string; readonly stream?: boolean; readonly tokens?: number }

function ask(gateway: Running, { key = KEY_A, model = 'openai/lorem-max', stream = false, tokens = 2 }: Chat) {
  return request(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': key },
    body: JSON.stringify({ model, stream, max_tokens: tokens, messages: [{ role: 'user', content: 'Hi' }] }),
  })
}

async function statusOf(gateway: Running, chat: Chat): Promise<number> {
  const { statusCode, body } = await ask(gateway, chat)
  await body.dump()
  return statusCode
}

const fast = await startSimulator(tap, ['--tokens-per-second', '500'])

async function start(t: Teardown, config: (origin: string) => object, { origin } = fast) {
  const first = config(origin)
  const gateway = await startGateway(t, { config: { metrics: { token: METRICS_TOKEN }, ...first } })
  return { gateway, first }
}

test('a removed key is rejected at once, over HTTP and on an open WebSocket; its running requests continue', async (t) => {
  const { gateway, first } = await start(
    t,
    (origin) => ({ keys: [team('a', KEY_A), team('b', KEY_B)], providers: simulatedProviders(origin) }),
    await startSimulator(t, ['--tokens-per-second', '40']),
  )
  const socket = new WebSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, { headers: { 'x-api-key': KEY_A } })
  t.teardown(() => socket.terminate())
  await once(socket, 'open')
  const messages: { id?: string; type?: string; outcome?: string; error?: { code?: string } }[] = []
  const say = (id: string, tokens: number): void => {
    const body = { model: 'openai/lorem-max', max_tokens: tokens, messages: [{ role: 'user', content: 'Hi' }] }
    socket.send(JSON.stringify({ type: 'chat', id, request: body }))
  }
  const end = (id: string) =>
    new Promise<(typeof messages)[number]>((resolve) => {
      socket.on('message', (bytes: Buffer) => {
        const message = JSON.parse(bytes.toString()) as (typeof messages)[number]
        if (message.id === id && message.type !== 'event') resolve(message)
      })
    })
  const running = end('running')
  say('running', 30)
  const stream = await ask(gateway, { key: KEY_A, stream: true, tokens: 30 })
  await once(socket, 'message')
  await reload(gateway, { ...first, keys: [team('b', KEY_B)] })
  t.equal(await statusOf(gateway, { key: KEY_A }), 401)
  t.equal(await statusOf(gateway, { key: KEY_B }), 200, 'the other one is known, in its new place')
  const refused = end('late')
  say('late', 1)
  t.match(await refused, { type: 'error', error: { code: 'invalid_api_key' } })
  t.match(await stream.body.text(), /\[DONE\]/)
  t.match(await running, { type: 'done', outcome: 'complete' })
})

test('with server.endRequestsOfRemovedKeys a removed key ends with what it has running, on every event loop', async (t) => {
  const held = await ScriptedUpstream.listen(
    answer(streamHead(), chunk('data: {"choices":[{"index":0,"delta":{"content":"word"}}]}\n\n'), { stall: true }),
  )
  t.teardown(() => held.close())
  const { gateway, first } = await start(t, () => ({
    server: { threads: 2, endRequestsOfRemovedKeys: true },
    keys: [team('a', KEY_A), team('b', KEY_B)],
    providers: { held: { protocol: 'openai-chat', baseUrl: `${held.origin}/v1` } },
  }))
  const streams = [KEY_A, KEY_A, KEY_A, KEY_A, KEY_B].map(async (key) => {
    const { body } = await ask(gateway, { key, model: 'held/m', stream: true })
    await once(body, 'readable')
    return body
  })
  const [...bodies] = await Promise.all(streams)
  const other = bodies.pop()
  // Renamed, and the only one left: it is known by its value.
  await reload(gateway, {
    ...first,
    server: { ...(first as { server: object }).server, port: 0 },
    keys: [team('c', KEY_B)],
  })
  for (const body of bodies) {
    const text = await body.text()
    t.match(text, /"code":"invalid_api_key"/)
    t.match(text, /removed/)
    t.notMatch(text, /\[DONE\]/)
  }
  await held.until(({ closed }) => closed === 4)
  const linesOfA = () => gateway.lines.filter(({ msg, key }) => msg === 'exchange' && key === 'a')
  await gateway.logLine(() => linesOfA().length === 4)
  t.same(
    linesOfA().map(({ outcome }) => outcome),
    Array(4).fill('rejected'),
  )
  t.equal(gateway.lines.filter(({ key }) => key === 'b').length, 0, 'the other stream is still open')
  await other?.dump({ limit: 0, signal: AbortSignal.timeout(1) }).catch(() => undefined)
})

test('a reload starts and ends maintenance: new requests are rejected in the form of their API, running ones continue', async (t) => {
  const slow = await startSimulator(t, ['--tokens-per-second', '40'])
  const { gateway, first } = await start(
    t,
    (origin) => ({
      keys: [team('a', KEY_A)],
      providers: simulatedProviders(origin),
      compat: { asyncByDefault: false },
    }),
    slow,
  )
  const server = { port: 0 }
  const socket = new WebSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, { headers: { 'x-api-key': KEY_A } })
  t.teardown(() => socket.terminate())
  await once(socket, 'open')
  const ends = new Map<string, { outcome?: string; error?: { code?: string; message?: string } }>()
  const over = new Promise<void>((resolve) => {
    socket.on('message', (bytes: Buffer) => {
      const message = JSON.parse(bytes.toString())
      if (message.type !== 'event') ends.set(message.id, message)
      if (ends.size === 2) resolve()
    })
  })
  const say = (id: string, tokens: number): void => {
    const body = { model: 'openai/lorem-max', max_tokens: tokens, messages: [{ role: 'user', content: 'Hi' }] }
    socket.send(JSON.stringify({ type: 'chat', id, request: body }))
  }
  say('running', 60)
  const stream = await ask(gateway, { stream: true, tokens: 60 })
  await once(socket, 'message')
  const jobs = new JobClient(gateway, KEY_A)
  await reload(gateway, { ...first, server: { ...server, maintenance: 'Back at noon.' } })
  const line = await gateway.logLine(({ msg }) => msg === 'configuration warnings')
  t.match(line, { level: 'warn', warnings: ['server.maintenance: new requests are rejected'] })

  const refused = await ask(gateway, {})
  t.equal(refused.statusCode, 503)
  t.equal(refused.headers['retry-after'], '30')
  t.match(await refused.body.json(), { error: { code: 'maintenance', message: 'Back at noon.', type: 'server_error' } })
  const other = await request(`${gateway.origin}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': KEY_A },
    body: '{}',
  })
  t.match(await other.body.json(), { type: 'error', error: { type: 'overloaded_error', message: 'Back at noon.' } })
  t.equal(await statusOf(gateway, { key: 'a-key-of-no-team-0123456789' }), 401)
  t.equal(
    (
      await jobs.post(
        { model: 'openai/echo', messages: [{ role: 'user', content: 'Hi' }] },
        { prefer: 'respond-async' },
      )
    ).status,
    503,
  )
  t.equal((await jobs.list()).status, 200)
  const upgrade = new WebSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, { headers: { 'x-api-key': KEY_A } })
  const [, answered] = (await once(upgrade, 'unexpected-response')) as [unknown, { statusCode?: number }]
  t.equal(answered.statusCode, 503)
  const ready = await request(`${gateway.origin}/readyz`)
  t.equal(ready.statusCode, 503)
  t.same(await ready.body.json(), { status: 'maintenance' })
  t.equal((await request(`${gateway.origin}/livez`)).statusCode, 200)
  say('late', 1)
  t.match(await stream.body.text(), /\[DONE\]/, 'an open stream goes on')
  await over
  t.match(ends.get('running'), { outcome: 'complete' })
  t.match(ends.get('late'), { error: { code: 'maintenance', message: 'Back at noon.' } })

  await reload(gateway, { ...first, server })
  t.equal((await request(`${gateway.origin}/readyz`)).statusCode, 200)
  t.equal(await statusOf(gateway, {}), 200)
})

test('jobs that wait when maintenance begins run when it ends', async (t) => {
  const held = await startHeldUpstream(t)
  const { gateway, first } = await start(t, () => ({
    keys: [team('a', KEY_A)],
    providers: { held: { protocol: 'openai-chat', baseUrl: `${held.origin}/v1` } },
    jobs: { concurrency: 1 },
  }))
  const jobs = new JobClient(gateway, KEY_A)
  const body = { model: 'held/m', messages: [{ role: 'user', content: 'Hi' }] }
  const running = await jobs.submit(body)
  const call = await held.next()
  const waiting = await jobs.submit(body)
  await reload(gateway, { ...first, server: { port: 0, maintenance: true } })
  call.say('one')
  t.match(await jobs.until(running), { status: 'completed' })
  t.match((await jobs.ask(`/v1/chat/completions/${waiting}`)).body, { status: 'pending' })
  const next = held.next()
  await reload(gateway, { ...first, server: { port: 0 } })
  ;(await next).say('two')
  t.match(await jobs.until(waiting), { status: 'completed' })
})

test('a changed provider gets its own connections, the old ones close with their last answer; one that is the same keeps its own', async (t) => {
  const frame = (text: string) =>
    chunk(
      `data: ${JSON.stringify({ id: '1', object: 'chat.completion.chunk', model: 'm', choices: [{ index: 0, delta: { content: text }, finish_reason: null }] })}\n\n`,
    )
  const end = chunk(
    `data: ${JSON.stringify({ id: '1', object: 'chat.completion.chunk', model: 'm', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })}\n\ndata: [DONE]\n\n`,
  )
  const old = await ScriptedUpstream.listen(
    answer(streamHead(), frame('old'), { wait: 'go', name: 'on' }, end, LAST_CHUNK),
  )
  const fresh = await ScriptedUpstream.listen(answer(streamHead(), frame('new'), end, LAST_CHUNK))
  const same = await ScriptedUpstream.listen(answer(streamHead(), frame('same'), end, LAST_CHUNK))
  t.teardown(() => Promise.all([old.close(), fresh.close(), same.close()]))
  const config = (changing: ScriptedUpstream) => ({
    providers: {
      changing: { protocol: 'openai-chat', baseUrl: `${changing.origin}/v1` },
      same: { protocol: 'openai-chat', baseUrl: `${same.origin}/v1` },
    },
  })
  const gateway = await startGateway(t, { config: config(old) })
  const running = await ask(gateway, { model: 'changing/m', stream: true })
  await once(running.body, 'readable')
  t.match(await (await ask(gateway, { model: 'same/m', stream: true })).body.text(), /"same"/)
  await reload(gateway, config(fresh))
  t.match(await (await ask(gateway, { model: 'changing/m', stream: true })).body.text(), /"new"/)
  t.match(await (await ask(gateway, { model: 'same/m', stream: true })).body.text(), /"same"/)
  t.equal(same.accepted, 1, 'on the connection it had')
  t.equal(old.closed, 0)
  old.go('on')
  t.match(await running.body.text(), /"old"[\s\S]*\[DONE\]/, 'what ran on the old one ends as if nothing had happened')
  await old.until(({ open }) => open === 0)
  t.equal(old.requests.length, 1)
})

test('remaining keys keep the state of their limits', async (t) => {
  const limits = { requestsPerMinute: 3 }
  const { gateway, first } = await start(t, (origin) => ({
    keys: [team('a', KEY_A, limits)],
    providers: simulatedProviders(origin),
  }))
  t.equal(await statusOf(gateway, {}), 200)
  t.equal(await statusOf(gateway, {}), 200)
  await reload(gateway, { ...first, keys: [team('b', KEY_B, limits), team('a', KEY_A, limits)] })
  t.equal(await statusOf(gateway, {}), 200)
  t.equal(await statusOf(gateway, {}), 429, 'two before and one after make three')
  t.equal(await statusOf(gateway, { key: KEY_B }), 200, 'and the new key has its own')
})

test('an invalid file changes nothing, is logged in one line and counted; options that need a restart are named', async (t) => {
  const { gateway, first } = await start(t, (origin) => ({
    keys: [team('a', KEY_A)],
    providers: simulatedProviders(origin),
  }))
  const ill: [string | object, RegExp][] = [
    ['{ "keys": [', /syntax error/],
    [{ ...first, server: { prot: 1 } }, /server\.prot: .*did you mean "port"/],
    [{ ...first, keys: [team('a', `\${NOT_SET_ANYWHERE}`)] }, /NOT_SET_ANYWHERE/],
    ['', /empty/],
    [{ ...first, models: { fast: 'nobody/x' } }, /models\.fast/],
  ]
  for (const [config, reason] of ill) {
    const line = await reload(gateway, config)
    t.match(line, { msg: 'configuration reload rejected', level: 'warn', reason }, String(reason))
    t.equal(await statusOf(gateway, {}), 200)
  }
  rmSync(join(gateway.folder, 'sluice.json'))
  gateway.child.kill('SIGHUP')
  t.match(await gateway.logLine(({ reason }) => /configuration file .* does not exist/.test(String(reason))), {
    level: 'warn',
  })
  const line = await reload(gateway, { ...first, server: { port: 1, threads: 2 }, log: { level: 'debug' } })
  t.equal(line.msg, 'configuration reloaded')
  t.match(await gateway.logLine(({ options }) => options !== undefined), {
    level: 'warn',
    options: ['server.port', 'server.threads'],
  })
  t.equal(await statusOf(gateway, {}), 200, 'on the port it has')
  gateway.child.kill('SIGHUP')
  t.match(await gateway.logLine(({ msg }) => /configuration unchanged/.test(msg ?? '')), { level: 'info' })
  const samples = await scrape(gateway)
  t.equal(sampleValue(samples, 'sluice_config_reloads_total', { result: 'rejected' }), ill.length + 1)
  t.equal(sampleValue(samples, 'sluice_config_reloads_total', { result: 'ok' }), 1)
  t.equal(sampleValue(samples, 'sluice_config_reloads_total', { result: 'unchanged' }), 1)
  t.equal(gateway.lines.filter(({ reason }) => reason !== undefined).length, ill.length + 1, 'one line each')
})

test('a file is reloaded by itself, also by the swapped symlink of a ConfigMap; half a file is not', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-configmap-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const textOf = (name: string): string =>
    JSON.stringify({
      server: { port: 0 },
      providers: simulatedProviders(fast.origin),
      models: { [name]: 'openai/echo' },
    })
  const publish = (version: string, text: string): void => {
    mkdirSync(join(folder, version))
    writeFileSync(join(folder, version, 'sluice.yaml'), text)
    symlinkSync(version, join(folder, '..data_tmp'))
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
  }
  publish('..v1', textOf('one'))
  symlinkSync('..data/sluice.yaml', join(folder, 'sluice.yaml'))
  const gateway = await startGateway(t, { args: ['--config', join(folder, 'sluice.yaml')] })
  t.equal(await statusOf(gateway, { model: 'two' }), 404)
  publish('..v2', textOf('two'))
  await gateway.logLine(({ msg }) => msg === 'configuration reloaded')
  t.equal(await statusOf(gateway, { model: 'two' }), 200)
  t.equal(await statusOf(gateway, { model: 'one' }), 404)
  const whole = textOf('three')
  publish('..v3', whole.slice(0, whole.length / 2))
  await gateway.logLine(({ msg }) => msg === 'configuration reload rejected')
  t.equal(await statusOf(gateway, { model: 'two' }), 200)
})
