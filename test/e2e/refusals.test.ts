// What every refusal says, on every API: whether a retry can help, and which request it was.
import { test } from 'tap'
import { request } from 'undici'
import { PROTOCOLS } from '../../src/protocols/index.js'
import { startGateway, startSimulator } from '../helpers/gateway.js'

const KEY = 'key-of-refusals-0123456789'
const MAX_BODY_BYTES = 100_000
/** The defaults. */
const PREFIXES = { apiPrefix: '/api', ollamaPrefix: '/ollama' }

/** Each path that chats are posted to, with the API's own header for a request's id, if it has one. */
const ROUTES = PROTOCOLS.flatMap(({ surface }) => {
  if (surface === null) return []
  return surface.routes.map(({ path, prefix }) => ({
    path: `${prefix === undefined ? '' : PREFIXES[prefix]}${path.replace('{provider}', 'up').replace('{model}', 'sim/echo')}`,
    idHeader: surface.requestIdHeader ?? 'x-request-id',
  }))
})

test('a request that is refused before it is read says that no retry can help', async (t) => {
  const gateway = await startGateway(t, {
    config: { server: { maxBodyBytes: MAX_BODY_BYTES }, keys: [{ name: 'k', key: KEY }], providers: { sim: {} } },
  })
  t.ok(ROUTES.length > 5)
  const cases: readonly [name: string, status: number, body: string | Buffer, headers: Record<string, string>][] = [
    ['wrong key', 401, '{}', { authorization: 'Bearer wrong' }],
    ['no JSON', 400, '{', {}],
    ['no body', 400, '', {}],
    ['an empty object', 400, '{}', {}],
    ['another type', 415, 'x', { 'content-type': 'text/plain' }],
    ['an unknown encoding', 415, '{}', { 'content-encoding': 'snappy' }],
    ['too large', 413, Buffer.alloc(MAX_BODY_BYTES + 1, 0x20), {}],
  ]
  for (const { path, idHeader } of ROUTES) {
    for (const [name, status, body, headers] of cases) {
      const answer = await request(`${gateway.origin}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}`, ...headers },
        body,
      })
      await answer.body.dump()
      t.equal(answer.statusCode, status, `${path}, ${name}`)
      t.equal(answer.headers['x-should-retry'], 'false', `${path}, ${name}: no retry can help`)
      t.ok(answer.headers[idHeader], `${path}, ${name}: ${idHeader}`)
    }
  }
})

test('what a provider or a limit refuses says whether a retry can help', async (t) => {
  const simulator = await startSimulator(t)
  const up = { protocol: 'openai-chat', baseUrl: `${simulator.origin}/v1`, apiKey: 'sk-of-the-gateway' }
  const gateway = await startGateway(t, {
    config: {
      keys: [
        { name: 'k', key: KEY },
        { name: 'small', key: `${KEY}-small`, limits: { requestsPerMinute: 1 } },
      ],
      providers: { up },
      routing: { retries: { max: 0 }, breaker: { enabled: false } },
    },
  })
  const ask = async (path: string, model: string, key = KEY) => {
    const answer = await request(`${gateway.origin}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ model, max_tokens: 10, messages: [{ role: 'user', content: 'Hi' }] }),
    })
    await answer.body.dump()
    return [answer.statusCode, answer.headers['x-should-retry']]
  }
  for (const path of ['/v1/chat/completions', '/v1/messages', '/v1/chat/stream', '/api/chat/completions']) {
    t.same(await ask(path, 'nobody/x'), [404, 'false'], `${path}: no such model`)
    t.same(await ask(path, 'up/lorem-max+fault=status,401'), [502, 'false'], `${path}: the gateway's own key`)
    t.same(
      await ask(path, 'up/lorem-max+fault=status,403'),
      [502, 'false'],
      `${path}: the gateway's own key, forbidden`,
    )
    t.same(await ask(path, 'up/lorem-max+fault=status,400'), [400, 'false'], `${path}: the provider rejects it`)
    t.same(await ask(path, 'up/lorem-max+fault=status,429'), [429, 'true'], `${path}: the provider's limit`)
    t.match((await ask(path, 'up/lorem-max+fault=status,503'))[1], 'true', `${path}: the provider is busy`)
  }
  t.same(await ask('/v1/messages', 'up/lorem-max', `${KEY}-small`), [200, undefined])
  t.same(await ask('/v1/messages', 'up/lorem-max', `${KEY}-small`), [429, 'true'], 'the limit of a key')
})
