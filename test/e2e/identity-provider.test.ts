// Tokens of a company's identity provider at a gateway of two event loops with its account database: each stands for a key of a team, or a
// named one, and ends with it. The provider's keys change, and it is away, without an outage.
import { once } from 'node:events'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { type Test, test } from 'tap'
import WebSocket from 'ws'
import { type NewKey } from '../../src/accounts/types.js'
import { startAccountsGateway } from '../helpers/accounts-gateway.js'
import { type Running, simulatedProviders, startSimulator } from '../helpers/gateway.js'
import { Issuer } from '../helpers/issuer.js'

const ADMIN = { by: 'test' }
const ANY = { ...ADMIN, ifVersion: null }
const NO_LIMITS = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }
const CHAT = { model: 'openai/echo', messages: [{ role: 'user', content: 'Hi' }] }
const ISSUER = 'https://id.example.com'
const PATIENCE_MS = 60_000

/** A provider with one pair of keys; `rotate` makes another one. */
async function startProvider(t: Test) {
  let count = 0
  const make = async () => {
    count += 1
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
    return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid: `k${count}`, alg: 'ES256', use: 'sig' } }
  }
  let present = await make()
  const published = [present.jwk]
  const state = { isAway: false }
  const server = await Issuer.listen({
    '/jwks': () => (state.isAway ? { status: 503, body: 'away' } : { body: { keys: published } }),
  })
  t.teardown(() => server.close())
  return {
    ...{ server, state },
    url: `${server.origin}/jwks`,
    sign: (claims: object, expiresInSec = 300) =>
      new SignJWT({ ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: present.jwk.kid })
        .setIssuer(ISSUER)
        .setAudience('sluice')
        .setExpirationTime(Math.floor(Date.now() / 1000) + expiresInSec)
        .sign(present.privateKey),
    async rotate() {
      present = await make()
      published.push(present.jwk)
    },
  }
}

/** As a client that comes again where it is asked to: each event loop fetches the provider's keys when it starts. */
async function ask(
  { origin }: Running,
  token: string,
  { path = '/v1/chat/completions', body = CHAT as object, headers = {} } = {},
) {
  const all = { authorization: `Bearer ${token}`, 'content-type': 'application/json', connection: 'close', ...headers }
  const deadlineMs = performance.now() + PATIENCE_MS
  for (;;) {
    const answer = await fetch(`${origin}${path}`, { method: 'POST', headers: all, body: JSON.stringify(body) })
    const text = await answer.text()
    if (answer.status !== 503 || performance.now() > deadlineMs) {
      return { status: answer.status, headers: answer.headers, text }
    }
  }
}

async function start(t: Test) {
  const [simulator, provider] = await Promise.all([startSimulator(t), startProvider(t)])
  const { gateway, store } = await startAccountsGateway(t, {
    server: { threads: 2 },
    keys: [{ name: 'file', key: 'key-of-the-file-0123456789' }],
    providers: simulatedProviders(simulator.origin),
    auth: {
      jwt: [
        {
          ...{ issuer: ISSUER, audience: 'sluice', jwksUrl: provider.url, algorithms: ['ES256'] },
          claims: { team: 'groups', key: 'app', models: 'models', user: 'sub' },
        },
      ],
    },
  })
  await store.createTeam(
    { name: 'blue', models: ['openai/*'], limits: NO_LIMITS, metadata: {}, disabled: false },
    ADMIN,
  )
  const create = (name: string, over: Partial<NewKey> = {}) =>
    store.createKey(
      {
        ...{ name, team: null, models: ['*'], limits: NO_LIMITS, tags: [], metadata: {}, trustUser: false },
        ...{ disabled: false, expiresAtMs: null, ...over },
      },
      ADMIN,
    )
  return { gateway, store, provider, create }
}

test('a token stands for the key of its team, or for a named one, within what it says itself', async (t) => {
  const { gateway, store, provider, create } = await start(t)
  await create('blue.jwt', { team: 'blue', limits: { ...NO_LIMITS, requestsPerMinute: 1000 } })
  await create('red.jwt')
  const token = await provider.sign({ groups: ['none', 'blue'], sub: 'anna' })
  t.equal((await ask(gateway, token)).status, 200)
  const answer = await ask(gateway, token)
  t.equal(answer.headers.get('x-ratelimit-limit-requests'), '1000', 'the limits of the key')
  const line = await gateway.logLine(({ key }) => key === 'blue.jwt')
  t.match(line, { endUser: 'anna' })
  t.equal((await ask(gateway, token, { body: { ...CHAT, model: 'anthropic/echo' } })).status, 403, 'of the team')
  const narrow = await provider.sign({ groups: 'blue', models: ['openai/lorem-max'] })
  t.equal((await ask(gateway, narrow)).status, 403)
  t.equal((await ask(gateway, await provider.sign({ app: 'file' }))).status, 200, 'of the configuration file')
  t.equal((await ask(gateway, await provider.sign({ groups: 'red' }))).status, 401, 'a key of no such team')
  t.equal((await ask(gateway, await provider.sign({ groups: 'green' }))).status, 401)
  for (const path of ['/v1/tokens', '/v1/chat/completions']) {
    const headers = path === '/v1/tokens' ? {} : { prefer: 'respond-async' }
    t.equal((await ask(gateway, token, { path, headers, body: path === '/v1/tokens' ? {} : CHAT })).status, 403, path)
  }
  const asApiKey = await ask(gateway, '', { headers: { authorization: '', 'x-api-key': token } })
  t.equal(asApiKey.status, 401, 'only as a bearer')
  await store.updateKey('blue.jwt', { disabled: true }, ANY)
  t.equal((await ask(gateway, token)).status, 401)
  await store.updateKey('blue.jwt', { disabled: false }, ANY)
  t.equal((await ask(gateway, token)).status, 200)
  await store.deleteKey('blue.jwt', ANY)
  t.equal((await ask(gateway, token)).status, 401)
  const written = `${gateway.output.join('\n')}\n${JSON.stringify(gateway.lines)}`
  t.notOk(written.includes(token) || written.includes(token.split('.')[2] ?? token))
})

test('keys change and the provider is away, and nobody with a token of a known key notices', async (t) => {
  const { gateway, provider, create } = await start(t)
  await create('blue.jwt', { team: 'blue' })
  const before = await provider.sign({ groups: 'blue' })
  // Each of the two event loops fetches the keys by itself.
  await provider.server.reached(2)
  t.equal((await ask(gateway, before)).status, 200)
  provider.state.isAway = true
  t.equal((await ask(gateway, await provider.sign({ groups: 'blue', n: 1 }))).status, 200)
  await provider.rotate()
  const after = await provider.sign({ groups: 'blue' })
  t.equal((await ask(gateway, after)).status, 401, 'a key that nobody could have seen')
  t.equal((await ask(gateway, before)).status, 200)
})

test('a WebSocket is opened with a token, and closed with 4401 at its end', async (t) => {
  const { gateway, provider, create } = await start(t)
  await create('blue.jwt', { team: 'blue' })
  t.equal((await ask(gateway, await provider.sign({ groups: 'blue' }))).status, 200)
  // Clocks may differ by a minute, so one that ended 58 seconds ago is let in for two more.
  const token = await provider.sign({ groups: 'blue' }, -57)
  const protocols = ['sluice.v1', `bearer64.${Buffer.from(token).toString('base64url')}`]
  const open = async (): Promise<WebSocket> => {
    const socket = new WebSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, protocols)
    const result = await Promise.race([
      once(socket, 'open').then(() => 'open'),
      once(socket, 'error').then(() => 'refused'),
    ])
    return result === 'open' ? socket : open()
  }
  const socket = await open()
  const [code] = await once(socket, 'close')
  t.equal(code, 4401)
  const refused = await ask(gateway, token)
  t.match([refused.status, refused.text], [401, /This token has expired/])
})
