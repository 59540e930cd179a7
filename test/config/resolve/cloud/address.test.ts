// The parts of an address: filled into the base URL of a profile, missed where they are missing, taken from the environment.
import { test } from 'tap'
import { addressFrom, fillAddress } from '../../../../src/config/resolve/cloud/address.js'
import { load, refusalOf } from '../../sources.js'

test('each part is filled in wherever the URL has it, and all that are missing are named', (t) => {
  t.same(fillAddress('https://{region}.x/{account}/{region}', { region: 'eu-1', account: 'p' }, {}), {
    url: 'https://eu-1.x/p/eu-1',
  })
  t.same(fillAddress('https://{region}.x/{account}', { resource: 'r' }, {}), { missing: ['region', 'account'] })
  t.same(fillAddress('https://plain.x', {}, {}), { url: 'https://plain.x' })
  t.end()
})

test('the host depends on a part where the profile says so', (t) => {
  const hosts = { by: 'region', names: { global: 'a.x', eu: 'a.eu.x', '*': '{region}-a.x' } }
  const fill = (region: string) => fillAddress('https://{host}/v1/{region}', { region }, { hosts })
  t.same(fill('global'), { url: 'https://a.x/v1/global' })
  t.same(fill('eu'), { url: 'https://a.eu.x/v1/eu' })
  t.same(fill('europe-west1'), { url: 'https://europe-west1-a.x/v1/europe-west1' })
  t.same(fill('constructor'), { url: 'https://constructor-a.x/v1/constructor' }, 'a name that every object has')
  t.same(fillAddress('https://{host}/v1', {}, { hosts }), { missing: ['region'] })
  t.end()
})

test('the first variable that is set counts', (t) => {
  const profile = { address: { region: ['A', 'B'], account: ['C'] } }
  t.same(addressFrom(profile, { A: '', B: 'eu-1' }), [{ part: 'region', variable: 'B', value: 'eu-1' }])
  t.same(addressFrom({}, { A: 'x' }), [])
  t.end()
})

const KEY = { AWS_BEARER_TOKEN_BEDROCK: 'k-1' }
const RUNTIME = 'https://bedrock-runtime.eu-west-3.amazonaws.com'

test('a missing part is a problem that names the option and the variables', (t) => {
  const refusal = refusalOf(() => load('providers: { bedrock: { apiKey: k } }'))
  t.match(refusal, /providers\.bedrock\.address\.region: is required by the base URL of the profile bedrock/)
  t.match(refusal, /AWS_REGION or AWS_DEFAULT_REGION/)
  t.match(
    refusalOf(() => load('providers: { bedrock: { apiKey: k, address: { region: "a/b" } } }')),
    /address\.region/,
  )
  t.end()
})

test('a part that the profile does not know is a problem, for it would change nothing', (t) => {
  const given = (entry: string) => refusalOf(() => load(`providers: { ${entry} }`))
  t.match(
    given('openai: { apiKey: k, address: { region: eu-west-3 } }'),
    /address\.region: is not used: .*takes no address/,
  )
  t.match(
    given('bedrock: { apiKey: k, address: { region: eu-west-3, account: p } }'),
    /address\.account: .*has only region/,
  )
  t.end()
})

test('the environment alone configures a vendor with an address; without all of it the reason is a warning', (t) => {
  const { providers } = load('', { ...KEY, AWS_REGION: 'eu-west-3' }).config
  t.match(providers, [{ name: 'bedrock', baseUrl: `${RUNTIME}/openai/v1`, apiKey: 'k-1' }])
  const { warnings } = load('', { ...KEY, GROQ_API_KEY: 'k' }).config
  t.match(
    warnings.join(),
    /AWS_BEARER_TOKEN_BEDROCK is set, but bedrock also requires .*AWS_REGION or AWS_DEFAULT_REGION/,
  )
  t.end()
})

test('what the file says of the address wins; what it leaves open comes from the environment, under any name', (t) => {
  const text = `
providers:
  claude: { profile: bedrock, protocol: anthropic-messages, apiKey: k }
  other: { profile: bedrock, apiKey: k, address: { region: us-east-1 } }
`
  const { providers } = load(text, { AWS_REGION: 'eu-west-3' }).config
  t.match(providers, [
    { protocol: 'anthropic-messages', baseUrl: `${RUNTIME}/anthropic/v1`, auth: { kind: 'bearer' } },
    { protocol: 'openai-chat', baseUrl: 'https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1' },
  ])
  t.end()
})

test('an own base URL needs no address', (t) => {
  const text = 'providers: { bedrock: { apiKey: k, baseUrl: "https://bedrock-mantle.us-east-1.api.aws/v1" } }'
  t.match(load(text).config.providers, [{ baseUrl: 'https://bedrock-mantle.us-east-1.api.aws/v1' }])
  t.end()
})

test('callers with their own key reach a vendor whose address the environment has', (t) => {
  const named = (env: Record<string, string>) => load('', env).config.wellKnown.map(({ provider }) => provider.name)
  t.notOk(named({}).includes('cloudflare'))
  t.ok(named({ CLOUDFLARE_ACCOUNT_ID: 'a1' }).includes('cloudflare'))
  t.ok(named({ AWS_REGION: 'eu-west-3' }).includes('bedrock'))
  for (const region of ['x.evil.example/', '@evil.example', 'eu-west-3/../', 'eu-wëst-3', 'eu-west-3\n']) {
    t.notOk(named({ AWS_REGION: region }).includes('bedrock'), `${region}: their keys go to no other host`)
  }
  t.end()
})
