// What `sluice check` shows: the effective configuration, loadable as YAML, without a secret in it.
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { parse } from 'yaml'
import { renderConfig, renderVerdict } from '../../src/config/check.js'
import { loadConfig } from '../../src/config/load.js'
import { ConfigFile } from '../../src/config/schema/schema.js'
import { load, sources } from './sources.js'

const fixture = (kind: string): string =>
  readFileSync(new URL(`../../../test/fixtures/tls/self-signed.${kind}`, import.meta.url), 'utf8')

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const PEM = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const ROBOT = JSON.stringify({ type: 'service_account', client_email: 'r@p', private_key: PEM })

const SECRETS = `
server: { tls: { certFile: c, keyFile: k, passphrase: CANARY-tls } }
admin: { key: CANARY-admin-key-0123, tls: { certFile: c, keyFile: k, passphrase: CANARY-admin-tls } }
keys: [ { name: a, key: CANARY-gateway-key } ]
providers:
  openai:
    apiKey: CANARY-provider
    headers: { x-token: CANARY-header }
    proxy: http://CANARY-user:CANARY-password@proxy.example:8080
    tls: { caFile: c, certFile: c, keyFile: k, serverName: inside.example }
    extraBody: { api_key: CANARY-body, nested: [ { password: CANARY-nested } ], options: { num_ctx: 5 } }
  bedrock:
    address: { region: eu-1 }
    credentials: { kind: aws, accessKeyId: AKIA1, secretAccessKey: CANARY-access, sessionToken: CANARY-session }
  azure-openai:
    address: { resource: r }
    credentials: { kind: entra, tenant: t, clientId: c-1, clientSecret: CANARY-client }
    proxy: http://CANARY-user:CANARY-password@proxy.example:8080
  vertex:
    address: { project: pp, location: eu }
    credentials: { kind: gcp, file: robot.json }
models: { m: { targets: [ { provider: openai, model: gpt-4o, extraBody: { authToken: CANARY-target } } ] } }
metrics: { token: CANARY-metrics }
redis: { url: "redis://user:CANARY-redis@h:6379/1" }
jobs: { webhook: { secret: CANARY-webhook-new, previousSecret: CANARY-webhook-old } }
streams: { tokenSecret: CANARY-of-stream-links }
`

test('every secret is masked, keys by hash too', (t) => {
  const files = { '/w/sluice.yaml': SECRETS, '/w/c': fixture('crt'), '/w/k': fixture('key'), '/w/robot.json': ROBOT }
  const { config } = loadConfig(sources({ files }))
  const text = renderConfig(config)
  t.notMatch(text, /CANARY/)
  t.notMatch(text, /PRIVATE KEY/)
  t.notMatch(text, new RegExp(config.keys[0]?.keySha256 ?? 'none'))
  t.match(parse(text), {
    server: { tls: { passphrase: '********' } },
    keys: [{ name: 'a', keySha256: '********' }],
    providers: {
      openai: {
        apiKey: '********',
        headers: { 'x-token': '********' },
        extraBody: { options: { num_ctx: 5 } },
        proxy: 'http://********:********@proxy.example:8080/',
        tls: { ca: '********', cert: '********', key: '********', serverName: 'inside.example' },
        credentials: null,
      },
      bedrock: { credentials: { kind: 'signature', source: { accessKeyId: 'AKIA1', secretAccessKey: '********' } } },
      'azure-openai': {
        credentials: {
          proxy: 'http://********:********@proxy.example:8080/',
          source: { form: { client_id: 'c-1', client_secret: '********' } },
        },
      },
      vertex: { credentials: { source: { issuer: 'r@p', privateKey: '********' } } },
    },
    models: { m: { targets: [{ provider: 'openai', model: 'gpt-4o', weight: 1 }], fallbacks: [] } },
    metrics: { token: '********' },
    redis: { url: 'redis://user:********@h:6379/1' },
    jobs: { webhook: { secret: '********', previousSecret: '********' } },
    streams: { tokenSecret: '********' },
  })
  t.end()
})

test('of the address of a database or a price list, the query is masked as well', (t) => {
  const [sslAndPassword, signed] = ['sslmode=require&password=CANARY-1', 'X-Amz-Signature=CANARY-2&sig=CANARY-3']
  const { config } = load(`
accounts: { store: postgres, url: "postgres://sluice:CANARY-0@db:5432/sluice?${sslAndPassword}" }
redis: { url: "redis://h:6379/1?password=CANARY-4" }
prices: { url: "https://prices.example/list.json?${signed}" }
`)
  const text = renderConfig(config)
  t.notMatch(text, /CANARY/)
  t.equal(parse(text).redis.url, 'redis://h:6379/1?password=********')
  t.end()
})

test('every section of the file is shown', (t) => {
  const shown = parse(renderConfig(load('').config))
  t.same(Object.keys(shown).sort(), Object.keys(ConfigFile.properties).sort())
  t.end()
})

test('what is not set shows as null, not as a mask', (t) => {
  t.match(parse(renderConfig(load('providers: { ollama: {} }').config)), {
    server: { port: 3000, tls: null },
    metrics: { token: null, port: null },
    compat: { apiPrefix: '/api', ollamaPrefix: '/ollama', healthStatus: 'ok', defaultModel: null, errorDetails: false },
    providers: { ollama: { apiKey: null, baseUrl: 'http://127.0.0.1:11434' } },
  })
  t.end()
})

test('warnings and the simulator are printed as comments', (t) => {
  t.match(renderConfig(load('providers: { ollama: {}, openai: {} }').config), /^# warning: provider openai is ignored/)
  t.match(renderConfig(load('').config), /^# no provider is configured: the built-in simulator serves\n/)
  t.notMatch(renderConfig(load('', { OPENAI_API_KEY: 'k' }).config), /^#/m)
  t.end()
})

test('the verdict names the file and counts the warnings', (t) => {
  t.equal(renderVerdict(load('providers: { ollama: {}, openai: {} }')), '# valid: /w/sluice.yaml (1 warning)')
  t.equal(renderVerdict(load('providers: { ollama: {} }')), '# valid: /w/sluice.yaml (no warnings)')
  t.equal(renderVerdict(loadConfig(sources())), '# valid: no file, the environment alone (no warnings)')
  t.end()
})
