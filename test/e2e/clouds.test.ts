// Clouds, as their users see them: a gateway with each kind of credentials in front of the simulator, with a cloud between the two that
// verifies tokens and recomputes signatures, and an issuer that verifies what it is asked with.
import { execFileSync } from 'node:child_process'
import { test } from 'tap'
import { request } from 'undici'
import { type Cloud, REGION, ROBOT, SECRETS, startCloud } from '../helpers/cloud.js'
import { MAIN, type Running, startGateway, type Teardown } from '../helpers/gateway.js'
import { reload } from '../helpers/reload.js'
import { startSimulator } from '../helpers/simulator.js'

const CANARY = /canary/i
const VERTEX = { project: 'my-project', location: 'europe-west1' }

type Tap = Parameters<typeof startSimulator>[0]

async function setUp(t: Tap): Promise<Cloud> {
  const { origin } = await startSimulator(t)
  const cloud = await startCloud(origin)
  t.teardown(() => cloud.close())
  return cloud
}

/** Each way of a cloud; base URLs are those of the profiles, but for host and first segment. */
function providersOf(cloud: Cloud) {
  const { origin, issuer, privateKey } = cloud
  const vertex = (publisher: string) =>
    `${origin}/by-token/v1/projects/${VERTEX.project}/locations/${VERTEX.location}/publishers/${publisher}`
  const json = JSON.stringify({
    ...{ type: 'service_account', client_email: ROBOT, private_key_id: 'k-1', private_key: privateKey },
    token_uri: `${issuer.origin}/google/token`,
  })
  const gcp = { kind: 'gcp', json }
  const keys = { kind: 'aws', accessKeyId: SECRETS.accessKeyId, secretAccessKey: SECRETS.secretAccessKey }
  const azure = { profile: 'azure-openai', baseUrl: `${origin}/by-token/openai/v1` }
  const entra = {
    ...{ kind: 'entra', tenant: 't-1', clientId: 'c-1', clientSecret: SECRETS.clientSecret },
    tokenUrl: `${issuer.origin}/oauth/token`,
  }
  const bedrock = { profile: 'bedrock', address: { region: REGION } }
  return {
    'azure-key': { profile: 'azure-openai', baseUrl: `${origin}/by-api-key/openai/v1`, apiKey: SECRETS.apiKey },
    'azure-entra': { ...azure, credentials: entra },
    'azure-responses': { ...azure, protocol: 'openai-responses', credentials: entra },
    'azure-identity': { ...azure, credentials: { kind: 'entra' } },
    'bedrock-key': { ...bedrock, baseUrl: `${origin}/by-bearer-key/openai/v1`, apiKey: SECRETS.bearerKey },
    'bedrock-signed': { ...bedrock, baseUrl: `${origin}/by-signature/openai/v1`, credentials: keys },
    'bedrock-responses': {
      ...{ ...bedrock, protocol: 'openai-responses', baseUrl: `${origin}/by-signature/openai/v1`, credentials: keys },
    },
    'bedrock-claude': {
      ...{
        ...bedrock,
        protocol: 'anthropic-messages',
        baseUrl: `${origin}/by-signature/anthropic/v1`,
        credentials: keys,
      },
    },
    'bedrock-container': { ...bedrock, baseUrl: `${origin}/by-temporary-keys/openai/v1`, credentials: { kind: 'aws' } },
    'vertex-gemini': { profile: 'vertex', baseUrl: vertex('google'), credentials: gcp },
    'vertex-claude': {
      profile: 'vertex',
      protocol: 'anthropic-messages',
      baseUrl: vertex('anthropic'),
      credentials: gcp,
    },
    'vertex-machine': {
      ...{ profile: 'vertex', baseUrl: vertex('google') },
      credentials: { kind: 'gcp', metadataUrl: `${issuer.origin}/metadata/token` },
    },
    'azure-echo': { ...azure, baseUrl: `${origin}/by-echo/openai/v1`, credentials: entra },
    'bedrock-echo': { ...bedrock, baseUrl: `${origin}/by-echo/openai/v1`, credentials: { kind: 'aws' } },
    'azure-denied': { ...azure, credentials: { ...entra, clientSecret: 'canary-wrong-secret' } },
    'bedrock-denied': { ...bedrock, baseUrl: `${origin}/by-nothing-at-all/openai/v1`, credentials: keys },
  }
}

const ENV = (cloud: Cloud) => ({
  AWS_CONTAINER_CREDENTIALS_FULL_URI: `${cloud.issuer.origin}/container`,
  IDENTITY_ENDPOINT: `${cloud.issuer.origin}/identity`,
  IDENTITY_HEADER: SECRETS.identityHeader,
})

async function start(t: Teardown, cloud: Cloud, more: object = {}): Promise<Running> {
  return startGateway(t, {
    config: { log: { level: 'debug' }, providers: providersOf(cloud), ...more },
    env: ENV(cloud),
  })
}

const ASKED: readonly (readonly [path: string, body: (model: string, stream: boolean) => object])[] = [
  [
    '/v1/chat/completions',
    (model, stream) => ({ model, stream, max_tokens: 50, messages: [{ role: 'user', content: 'wide river' }] }),
  ],
  [
    '/v1/messages',
    (model, stream) => ({ model, stream, max_tokens: 50, messages: [{ role: 'user', content: 'wide river' }] }),
  ],
]

async function ask(gateway: Running, path: string, body: object, headers: Record<string, string> = {}) {
  const answer = await request(gateway.origin + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() }
}

test('each way of each cloud serves the clients of two APIs, streaming and not', async (t) => {
  const cloud = await setUp(t)
  const gateway = await start(t, cloud)
  const names = Object.keys(providersOf(cloud)).filter((name) => !/-(denied|echo)$/.test(name))
  for (const name of names) {
    for (const [path, body] of ASKED) {
      for (const stream of [true, false]) {
        const { status, text } = await ask(gateway, path, body(`${name}/echo`, stream))
        t.equal(status, 200, `${name} ${path} ${stream}: ${text.slice(0, 200)}`)
        t.match(text, /river/, name)
      }
    }
  }
  t.same(cloud.refused, [])
  const paths = new Set(cloud.passed)
  const vertex = `/v1/projects/${VERTEX.project}/locations/${VERTEX.location}/publishers`
  for (const path of [
    ...['/openai/v1/chat/completions', '/openai/v1/responses', '/anthropic/v1/messages'],
    ...[
      `${vertex}/google/models/echo:streamGenerateContent?alt=sse`,
      `${vertex}/anthropic/models/echo:streamRawPredict`,
    ],
    `${vertex}/anthropic/models/echo:rawPredict`,
  ]) {
    t.ok(paths.has(path), path)
  }
  const asked = cloud.issuer.asked.map(({ path }) => path.split('?')[0])
  // Two providers each have the client secret and the service account.
  t.same(
    asked.sort(),
    [
      '/container',
      '/google/token',
      '/google/token',
      '/identity',
      '/metadata/token',
      '/oauth/token',
      '/oauth/token',
    ].sort(),
  )
})

test('a provider that repeats the credentials in a whole answer is masked, however the answer is made', async (t) => {
  const cloud = await setUp(t)
  const gateway = await start(t, cloud)
  for (const name of ['azure-echo', 'bedrock-echo']) {
    for (const [path, body] of ASKED) {
      for (const stream of [true, false]) {
        const { status, text } = await ask(gateway, path, body(`${name}/m`, stream))
        t.equal(status, 200)
        t.match(text, /you sent <[^>]*\*\*\*|you sent <AWS4[^>]*> <\*\*\*>/, `${name} ${path} ${stream}`)
        t.notMatch(text, CANARY)
      }
    }
  }
})

test('embeddings go with the same credentials', async (t) => {
  const cloud = await setUp(t)
  const gateway = await start(t, cloud)
  for (const name of ['azure-key', 'azure-entra']) {
    const { status, text } = await ask(gateway, '/v1/embeddings', { model: `${name}/embed`, input: 'wide river' })
    t.equal(status, 200, text)
    t.match(JSON.parse(text), { object: 'list', data: [{ object: 'embedding' }] })
  }
  t.same(cloud.refused, [])
  t.same(cloud.passed, ['/openai/v1/embeddings', '/openai/v1/embeddings'])
})

test('tokens are counted by estimate, without asking a cloud', async (t) => {
  const cloud = await setUp(t)
  const gateway = await start(t, cloud)
  for (const name of ['vertex-claude', 'vertex-gemini', 'bedrock-claude', 'azure-responses']) {
    const messages = [{ role: 'user', content: 'wide river' }]
    const { status, text } = await ask(gateway, '/v1/messages/count_tokens', { model: `${name}/echo`, messages })
    t.equal(status, 200, text)
    t.match(JSON.parse(text), { input_tokens: Number })
  }
  t.same([...cloud.passed, ...cloud.refused], [])
  t.equal(cloud.issuer.asked.length, 0)
})

test('a reload that leaves a provider as it is leaves it its token', async (t) => {
  const cloud = await setUp(t)
  const gateway = await start(t, cloud)
  const [path, body] = ASKED[0] as (typeof ASKED)[number]
  t.equal((await ask(gateway, path, body('azure-entra/echo', true))).status, 200)
  const changed = { log: { level: 'info' }, providers: providersOf(cloud), models: { smart: 'azure-entra/echo' } }
  t.equal((await reload(gateway, changed)).msg, 'configuration reloaded')
  t.equal((await ask(gateway, path, body('smart', true))).status, 200)
  t.equal(cloud.issuer.asked.length, 1)
})

test('a cloud whose clock is ahead accepts the repetition, and all that follow at once', async (t) => {
  const cloud = await setUp(t)
  cloud.aheadMs = 3_600_000
  const gateway = await start(t, cloud)
  const [path, body] = ASKED[0] as (typeof ASKED)[number]
  for (let i = 0; i < 3; i++) t.equal((await ask(gateway, path, body('bedrock-signed/echo', i === 0))).status, 200)
  t.same(cloud.refused, ['by-signature: skewed'])
})

test('credentials that are refused fail clearly, and another target serves the request', async (t) => {
  const cloud = await setUp(t)
  const models = {
    both: { targets: ['azure-denied/echo', 'bedrock-signed/echo'] },
    signed: { targets: ['bedrock-denied/echo'], fallbacks: ['other'] },
    other: 'azure-key/echo',
  }
  const gateway = await start(t, cloud, { models, compat: { errorDetails: true } })
  const [path, body] = ASKED[0] as (typeof ASKED)[number]
  for (const name of ['azure-denied', 'bedrock-denied']) {
    for (const [, each] of ASKED.entries()) {
      const { status, headers, text } = await ask(gateway, each[0], each[1](`${name}/echo`, true))
      t.equal(status, 502)
      t.match(text, /credentials|denied the gateway access/, text)
      t.notMatch(text + JSON.stringify(headers), CANARY, 'no part of what was sent')
    }
  }
  for (const model of ['both', 'signed']) {
    for (let i = 0; i < 4; i++) t.equal((await ask(gateway, path, body(model, i % 2 === 0))).status, 200, model)
  }
  const metrics = await request(`${gateway.origin}/metrics`)
  t.notMatch(await metrics.body.text(), CANARY)
  const command = [MAIN, 'check', '--config', `${gateway.folder}/sluice.json`]
  const page = execFileSync(process.execPath, command, { env: { ...process.env, ...ENV(cloud) } }).toString()
  t.match(page, /bedrock-signed/)
  t.notMatch(page, CANARY, 'the configuration as printed')
  t.notMatch(page, /PRIVATE KEY/)
  await gateway.stop()
  const log = gateway.output.join('\n') + gateway.errorOutput
  t.match(log, /answered 401, invalid_client/, 'the operator learns why')
  const line = gateway.lines.find(({ msg }) => msg === 'credentials not obtained')
  t.match(line, { level: 'warn', provider: 'azure-denied', reason: /answered 401, invalid_client$/ })
  t.notMatch(log, CANARY)
  t.notMatch(log, /PRIVATE KEY|AWS4-HMAC-SHA256 Credential=A/)
  for (const line of cloud.privateKey.split('\n').slice(1, -2)) if (log.includes(line)) t.fail('a line of the key')
})
