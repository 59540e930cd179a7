// What a configuration decides, and what it finds again after a reload. The parts at work are in test/e2e/reload.test.ts.

import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'tap'
import { continueLedger, openLedger } from '../../src/config/live/slot-table.js'
import { type Config } from '../../src/config/types.js'
import { GatewayError } from '../../src/errors.js'
import {
  createFetching,
  createGeneration,
  createRefusal,
  limiterPlaces,
  reachableProviders,
  withKnownProviders,
} from '../../src/gateway/generation.js'
import { createCells, joinLoop } from '../../src/gateway/loop.js'
import { createMemoryCells } from '../../src/limit/local/memory-budget.js'
import { load } from '../config/sources.js'

const yaml = (path: string) => `
keys: [{ name: a, key: "key-of-a-0123456789" }]
providers:
  same: { protocol: openai-chat, baseUrl: "http://127.0.0.1:1/v1" }
  changed: { protocol: openai-chat, baseUrl: "http://127.0.0.1:1/${path}" }
`
const RUNNING = load(yaml('one')).config

const PEM = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()
const ACCOUNT = JSON.stringify({ type: 'service_account', client_email: 'r@p', private_key: PEM })

test('an unchanged provider remains the same object and keeps its connections; a changed one does not', (t) => {
  const next = load(yaml('two')).config
  const { providers } = withKnownProviders(next, RUNNING)
  t.equal(providers[0], RUNNING.providers[0])
  t.equal(providers[1], next.providers[1])
  t.end()
})

test('so are vendors that nobody configured, and one that is configured from now on keeps nothing of it', (t) => {
  const named = (config: Config, name: string) => reachableProviders(config).find((provider) => provider.name === name)
  const same = withKnownProviders(load(yaml('two')).config, RUNNING)
  t.ok(named(same, 'openai'))
  t.equal(named(same, 'openai'), named(RUNNING, 'openai'))
  const configured = withKnownProviders(load(`${yaml('one')}  openai: { apiKey: a-key }`).config, RUNNING)
  t.equal(named(configured, 'openai')?.apiKey, 'a-key')
  t.not(named(configured, 'openai'), named(RUNNING, 'openai'))
  t.end()
})

test('limits lie where the ledger says, whatever the order', (t) => {
  const ledger = openLedger(RUNNING)
  const next = load(
    `keys: [{ name: b, key: "key-of-b-0123456789" }, { name: a, key: "key-of-a-0123456789" }]${yaml('one').split(']')[1]}`,
  )
  const later = continueLedger(ledger, next.config)
  t.match(limiterPlaces(next.config, later), { keys: [1, 0], providers: [0, 1], room: ledger.room })
  t.end()
})

/** The generation of one configuration on an event loop that logs to a file, without a server. */
function setUp(t: { testdir(): string }, yamlText: string) {
  const file = join(t.testdir(), 'log')
  const first = load(`log: { file: "${file}" }`).config
  const cells = createCells(first)
  const loop = joinLoop(first, cells, {
    loopIndex: 0,
    connectLoop: async () => null,
    connectStore: () => Promise.reject(new Error('no jobs here')),
  })
  const { config } = load(yamlText)
  const generation = createGeneration(config, continueLedger(cells.ledger, config), loop.ground)
  const logged = async (): Promise<string> => {
    await generation.log.flush()
    return readFileSync(file, 'utf8')
  }
  return { generation, logged }
}

test('no secret of the configuration gets into a line, in whatever form it is sent or written', async (t) => {
  const { generation, logged } = setUp(
    t,
    `
providers:
  one:
    protocol: openai-chat
    baseUrl: "http://h/v1"
    apiKey: canary-provider
    headers: { x-token: canary-header }
    proxy: "http://proxy-user:canary%2Fproxy@proxy.example:8080"
  two: { protocol: openai-chat, baseUrl: "http://i/v1", apiKey: k, proxy: "http://canary-user@proxy.example:8080" }
  sign:
    protocol: openai-chat
    baseUrl: "http://j/v1"
    profile: bedrock
    address: { region: eu-1 }
    credentials: { kind: aws, accessKeyId: AKIA1, secretAccessKey: canary-secret-access, sessionToken: canary-session }
  form:
    profile: azure-openai
    address: { resource: r }
    credentials: { kind: entra, tenant: t, clientId: c, clientSecret: canary-client-secret }
  robot:
    profile: vertex
    address: { project: pp, location: eu }
    credentials: { kind: gcp, json: '${ACCOUNT}' }
metrics: { token: canary-metrics }
redis: { url: "redis://user:canary%2Fredis@h:6379/1" }
jobs: { webhook: { secret: canary-webhook-new, previousSecret: canary-webhook-old } }
streams: { tokenSecret: canary-of-stream-links }
`,
  )
  const basic = Buffer.from('proxy-user:canary/proxy').toString('base64')
  const secrets = ['canary-provider', 'canary-header', 'canary/proxy', 'canary%2Fproxy', basic, `Basic ${basic}`]
  secrets.push('canary-user', 'canary-metrics', 'canary/redis', 'canary-webhook-new', 'canary-webhook-old')
  secrets.push('canary-of-stream-links', 'canary-secret-access', 'canary-session', 'canary-client-secret')
  secrets.push(PEM, PEM.split('\n')[5] ?? '')
  for (const secret of secrets) generation.log.info({ text: `it says ${secret} there` }, 'a line')
  const lines = (await logged()).trim().split('\n')
  t.equal(lines.length, secrets.length)
  for (const [i, secret] of secrets.entries()) t.notOk(lines[i]?.includes(secret), secret)
})

test('in maintenance every request is refused with the words that are configured; else none is', (t) => {
  const refusalFor = (server: string) =>
    setUp(t, `server: ${server}`).generation.refusal({ index: -1, name: null, owner: null })
  t.equal(refusalFor('{}'), null)
  t.match(refusalFor('{ maintenance: true }')?.data, { code: 'maintenance', status: 503, retryAfterMs: 30_000 })
  t.match(refusalFor('{ maintenance: Back at noon. }')?.data, { code: 'maintenance', message: 'Back at noon.' })
  t.end()
})

test('a request that no limit lets in takes no place of a loop that is late; one that the loop refuses is counted', (t) => {
  const [full, late] = [new GatewayError('rate_limited'), new GatewayError('overloaded')]
  const seen: string[] = []
  const asked = (byLimit: GatewayError | null, byShedder: GatewayError | null) => {
    seen.splice(0)
    const limiter = {
      refusal: (index: number) => {
        seen.push(`limiter ${index}`)
        return byLimit
      },
    }
    const shedder = {
      refusal: () => {
        seen.push('shedder')
        return byShedder
      },
    }
    const metrics = { limitRejection: (scope: string, limit: string) => seen.push(`${scope} ${limit}`) }
    return createRefusal(limiter, { shedder, metrics })({ index: 3, name: 'a', owner: null })
  }
  t.equal(asked(full, late), full)
  t.same(seen, ['limiter 3'])
  t.equal(asked(null, late), late)
  t.same(seen, ['limiter 3', 'shedder', 'gateway lag'])
  t.equal(asked(null, null), null)
  t.same(seen, ['limiter 3', 'shedder'])
  t.end()
})

test('attachments are fetched where the configuration says so alone, by its rules, and on the account of the key', async (t) => {
  let asked = 0
  const stranger = createServer((_request, response) => {
    asked += 1
    response.writeHead(200, { 'content-type': 'image/png' }).end(Buffer.alloc(1025))
  })
  stranger.listen(0, '127.0.0.1')
  t.teardown(() => stranger.close())
  await once(stranger, 'listening')
  const url = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}/cat.png`
  const { signal } = new AbortController()
  const room = { grow: () => null }
  const metrics = { reserved: () => undefined, limitRejection: () => undefined }
  const create = (rules: string) => {
    const { config } = load(`${yaml('one')}content: { fetch: { ${rules} } }`)
    const memoryCells = { receiving: createMemoryCells(9), fetched: createMemoryCells(9), kept: createMemoryCells(9) }
    return createFetching(config, openLedger(config), { memoryCells, metrics, accounts: null })
  }
  const fetchWith = async (rules: string) => create(rules)?.fetch(url, { signal, timeoutMs: 5000, room })
  const inside = 'enabled: true, allowInsecure: true, allowPrivateNetworks: true'
  t.equal(create(inside.replace('true', 'false')), null)
  for (const rules of ['', ', allowInsecure: true', ', allowPrivateNetworks: true']) {
    await t.rejects(
      fetchWith(`enabled: true${rules}`).then(() => undefined),
      rules,
    )
  }
  t.equal(asked, 0)
  t.match(await fetchWith(inside), { mediaType: 'image/png' })
  await t.rejects(
    fetchWith(`${inside}, maxBytes: 1024`).then(() => undefined),
    /too large/,
  )
  const fetching = create(`${inside}, maxBytes: 1024, maxHeldBytes: 16777216, maxHeldBytesPerKey: 8388608`)
  t.equal(fetching?.reserve(0).grow(8_388_608), null)
  t.match(fetching?.reserve(0).grow(1024)?.data, { code: 'rate_limited' })
  t.equal(fetching?.reserve(-1).grow(8_388_608), null)
})
