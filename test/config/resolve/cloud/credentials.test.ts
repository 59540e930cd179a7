// Credentials of clouds: which source an entry, the environment and the profile come to, and what is refused at start.
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'tap'
import { type CredentialsConfig } from '../../../../src/config/credential-types.js'
import { loadConfig } from '../../../../src/config/load.js'
import { refusalOf, sources } from '../../sources.js'

type Env = Readonly<Record<string, string>>
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const PEM = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const ACCOUNT = {
  ...{ type: 'service_account', client_email: 'robot@p', private_key_id: 'k-1', private_key: PEM },
  token_uri: 'https://tokens.example/token',
}
const USER = { type: 'authorized_user', client_id: 'i', client_secret: 'c', refresh_token: 'r' }
const FILES = {
  '/w/account.json': JSON.stringify(ACCOUNT),
  '/keys/user.json': JSON.stringify(USER),
  '/w/bad.json': '{}',
}

const REGION = 'address: { region: eu-west-3 }'
const PLACE = 'address: { project: p-1, location: europe-west1 }'
const RESOURCE = 'address: { resource: r-1 }'

function loaded(entry: string, env: Env = {}) {
  return loadConfig(sources({ env, files: { ...FILES, '/w/sluice.yaml': `providers: { ${entry} }` } })).config
}

function credentialsOf(entry: string, env: Env = {}): CredentialsConfig | null {
  return loaded(entry, env).providers[0]?.credentials ?? null
}

function reason(entry: string, env: Env = {}): string {
  return refusalOf(() => loaded(entry, env))
}

const aws = (options: string) => `bedrock: { ${REGION}, credentials: { kind: aws${options} } }`
const SIGNATURE = { kind: 'signature', region: 'eu-west-3', service: 'bedrock', proxy: null }

test('aws: the keys of the entry, alone', async (t) => {
  const own = ', accessKeyId: AKIA1, secretAccessKey: s1'
  const env = { AWS_ACCESS_KEY_ID: 'AKIA2', AWS_SECRET_ACCESS_KEY: 's2', AWS_SESSION_TOKEN: 't2' }
  const keys = { from: 'keys', accessKeyId: 'AKIA1', secretAccessKey: 's1', sessionToken: null }
  t.same(credentialsOf(aws(own), env), { ...SIGNATURE, source: keys }, 'no session token of other keys')
  t.same(credentialsOf(aws(`${own}, sessionToken: t1`)), { ...SIGNATURE, source: { ...keys, sessionToken: 't1' } })
  t.match(credentialsOf(aws(`${own}, service: bedrock-mantle`)), { service: 'bedrock-mantle' })
  t.match(reason(aws(', accessKeyId: AKIA1'), env), /credentials\.secretAccessKey: is required with accessKeyId/)
})

test('aws: the variables in the order of its own libraries', async (t) => {
  const keys = { AWS_ACCESS_KEY_ID: 'AKIA2', AWS_SECRET_ACCESS_KEY: 's2', AWS_SESSION_TOKEN: 't2' }
  const role = { AWS_ROLE_ARN: 'arn:r', AWS_WEB_IDENTITY_TOKEN_FILE: '/var/token' }
  const container = { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/v2/x', AWS_CONTAINER_AUTHORIZATION_TOKEN: 'a' }
  const sourceOf = (env: Env, options = '') => credentialsOf(aws(options), env)?.source
  t.same(sourceOf({ ...keys, ...role, ...container }), {
    ...{ from: 'keys', accessKeyId: 'AKIA2', secretAccessKey: 's2', sessionToken: 't2' },
  })
  const assumed = {
    from: 'web-identity',
    url: 'https://sts.eu-west-3.amazonaws.com/',
    roleArn: 'arn:r',
    sessionName: 'sluice',
  }
  t.same(sourceOf({ ...role, ...container }), { ...assumed, tokenFile: '/var/token' })
  t.same(sourceOf({ ...keys, ...role }, ', roleArn: "arn:own"'), {
    ...assumed,
    roleArn: 'arn:own',
    tokenFile: '/var/token',
  })
  t.same(sourceOf(container), { from: 'container', url: 'http://169.254.170.2/v2/x', token: 'a', tokenFile: null })
  const full = {
    AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://169.254.170.23/v1',
    AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: '/t',
  }
  t.same(sourceOf(full), { from: 'container', url: 'http://169.254.170.23/v1', token: null, tokenFile: '/t' })
  t.same(sourceOf({}), { from: 'instance', url: 'http://169.254.169.254' })
  t.same(sourceOf({ AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://127.0.0.1:99/' }), {
    from: 'instance',
    url: 'http://127.0.0.1:99',
  })
})

test('aws: what a signature needs is required', async (t) => {
  const mine = 'mine: { protocol: openai-chat, baseUrl: "https://x.example", credentials: { kind: aws } }'
  const said = reason(mine)
  t.match(said, /credentials\.kind: requires address\.region/)
  t.match(said, /credentials\.service: is required/)
  t.match(reason(aws(', tokenFile: /t')), /credentials\.roleArn: is required; AWS_ROLE_ARN sets it, too/)
})

const gcp = (options: string) => `vertex: { ${PLACE}, credentials: { kind: gcp${options} } }`
const SCOPE = 'https://www.googleapis.com/auth/cloud-platform'

test('gcp: a service account by file or text, a user, or the metadata server', async (t) => {
  const assertion = {
    ...{ from: 'assertion', url: 'https://tokens.example/token', issuer: 'robot@p', keyId: 'k-1' },
    ...{ privateKey: PEM, scope: SCOPE },
  }
  const bearer = (source: object) => ({ kind: 'bearer', source, proxy: null })
  t.same(credentialsOf(gcp(', file: account.json')), bearer(assertion))
  t.same(credentialsOf(gcp(`, json: '${JSON.stringify(ACCOUNT)}'`)), bearer(assertion))
  t.same(
    credentialsOf(gcp(', file: account.json, tokenUrl: "https://other.example/t"')),
    bearer({ ...assertion, url: 'https://other.example/t' }),
  )
  t.same(
    credentialsOf(gcp(''), { GOOGLE_APPLICATION_CREDENTIALS: '/keys/user.json' }),
    bearer({
      ...{ from: 'form', url: 'https://oauth2.googleapis.com/token', files: {} },
      form: { grant_type: 'refresh_token', client_id: 'i', client_secret: 'c', refresh_token: 'r' },
    }),
  )
  t.same(
    credentialsOf(gcp('')),
    bearer({
      from: 'metadata',
      url: 'http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token',
      headers: { 'metadata-flavor': 'Google' },
    }),
  )
})

test('gcp: a file that is not there, or is something else, is refused without being quoted', async (t) => {
  t.match(reason(gcp(', file: nowhere.json')), /credentials\.file: names a file that cannot be read/)
  t.match(reason(gcp(', file: bad.json')), /credentials\.file: must hold a service account/)
  const withKey = (key: string) => JSON.stringify({ ...ACCOUNT, private_key: key })
  const { privateKey: curve } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  for (const key of ['canary-key', curve.export({ type: 'pkcs8', format: 'pem' }).toString()]) {
    const said = reason(gcp(`, json: ${JSON.stringify(withKey(key))}`))
    t.match(said, /credentials\.json: holds no client_email, or no RSA private_key/)
    t.notMatch(said, /canary|BEGIN/)
  }
})

const entra = (options: string) => `azure-openai: { ${RESOURCE}, credentials: { kind: entra${options} } }`

test('entra: a secret, a federated file, or the identity of the machine', async (t) => {
  const url = 'https://login.microsoftonline.com/t-1/oauth2/v2.0/token'
  const form = {
    ...{ grant_type: 'client_credentials', client_id: 'c-1' },
    scope: 'https://cognitiveservices.azure.com/.default',
  }
  const bearer = (source: object) => ({ kind: 'bearer', source, proxy: null })
  t.same(
    credentialsOf(entra(', tenant: t-1, clientId: c-1, clientSecret: s-1')),
    bearer({ from: 'form', url, form: { ...form, client_secret: 's-1' }, files: {} }),
  )
  const env = { AZURE_TENANT_ID: 't-1', AZURE_CLIENT_ID: 'c-1', AZURE_FEDERATED_TOKEN_FILE: '/var/azure' }
  const federated = { ...form, client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' }
  t.same(
    credentialsOf(entra(''), env),
    bearer({ from: 'form', url, form: federated, files: { client_assertion: '/var/azure' } }),
  )
  t.same(
    credentialsOf(entra(', clientId: c-2'), env),
    bearer({ from: 'form', url, form: { ...federated, client_id: 'c-2' }, files: { client_assertion: '/var/azure' } }),
    'of another identity',
  )
  const resource = 'resource=https%3A%2F%2Fcognitiveservices.azure.com'
  const machine = 'http://169.254.169.254/metadata/identity/oauth2/token'
  t.same(
    credentialsOf(entra(', clientId: m-1')),
    bearer({
      ...{ from: 'metadata', url: `${machine}?api-version=2018-02-01&${resource}&client_id=m-1` },
      headers: { metadata: 'true' },
    }),
  )
  t.same(
    credentialsOf(entra(''), { IDENTITY_ENDPOINT: 'http://127.0.0.1:41741/msi', IDENTITY_HEADER: 'h-1' }),
    bearer({
      ...{ from: 'metadata', url: `http://127.0.0.1:41741/msi?api-version=2019-08-01&${resource}` },
      headers: { 'x-identity-header': 'h-1' },
    }),
  )
  const app = { IDENTITY_ENDPOINT: 'http://localhost:42356/msi/token', IDENTITY_HEADER: 'h-1' }
  t.match(credentialsOf(entra(''), app), { source: { url: /^http:\/\/localhost:42356\/msi\/token\?/ } })
  t.match(reason(entra(', clientSecret: s-1')), /credentials\.clientId: is required; AZURE_CLIENT_ID sets it, too/)
})

test('options of another kind, keys in headers and servers without TLS are refused', async (t) => {
  t.match(reason(aws(', tenant: x')), /credentials\.tenant: is not an option of kind aws/)
  t.match(reason(entra(', file: x')), /credentials\.file: is not an option of kind entra/)
  const header = `bedrock: { ${REGION}, headers: { authorization: x }, credentials: { kind: aws } }`
  t.match(reason(header), /headers\.authorization: is set by the credentials of this provider/)
  const far = gcp(', file: account.json, tokenUrl: "http://tokens.example/t"')
  t.match(reason(far), /credentials\.tokenUrl: must be an https URL, or http to this machine or a link-local address/)
  t.match(reason(aws(', metadataUrl: "http://10.0.0.1"')), /credentials\.metadataUrl: must be an https URL/)
  t.match(credentialsOf(gcp(', file: account.json, tokenUrl: "http://127.0.0.1:1/t"')), { kind: 'bearer' })
})

test('what no header can hold is refused at start, without being quoted', async (t) => {
  const keys = { AWS_ACCESS_KEY_ID: 'AKIA2', AWS_SECRET_ACCESS_KEY: 'canary', AWS_SESSION_TOKEN: 'canary' }
  const refusals = [
    [
      reason(aws(''), { ...keys, AWS_SECRET_ACCESS_KEY: 'canary\n' }),
      /credentials\.secretAccessKey: .*AWS_SECRET_ACCESS/,
    ],
    [
      reason(aws(''), { ...keys, AWS_SESSION_TOKEN: 'canary\r\nx-evil: 1' }),
      /credentials\.sessionToken: must be printable/,
    ],
    [reason(aws(', accessKeyId: "canary 1", secretAccessKey: s')), /credentials\.accessKeyId: must be printable ASCII/],
    [
      reason(aws(''), { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/x', AWS_CONTAINER_AUTHORIZATION_TOKEN: 'canary\n' }),
      /credentials\.containerToken: must be printable ASCII; AWS_CONTAINER_AUTHORIZATION_TOKEN sets it, too/,
    ],
    [
      reason(entra(''), { IDENTITY_ENDPOINT: 'http://127.0.0.1:1/msi', IDENTITY_HEADER: 'canary\u0000' }),
      /credentials\.identityHeader: must be printable ASCII/,
    ],
    [
      reason(gcp(', file: account.json, tokenUrl: "https://u:canary@t.example/"')),
      /tokenUrl: must not contain a user name/,
    ],
  ] as const
  for (const [said, wanted] of refusals) {
    t.match(said, wanted)
    t.notMatch(said, /canary/)
  }
  t.match(
    credentialsOf(aws(''), {
      AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/x',
      AWS_CONTAINER_AUTHORIZATION_TOKEN: 'Basic abc',
    }),
    { source: { token: 'Basic abc' } },
  )
})

test('credentials take the place of a key, and a provider with them needs none', async (t) => {
  const config = loaded(`bedrock: { ${REGION}, apiKey: k, credentials: { kind: aws } }`)
  t.match(config.providers, [{ apiKey: null, credentials: { kind: 'signature' } }])
  t.match(config.warnings, [/providers\.bedrock\.apiKey is ignored/])
  t.match(loaded('groq: { apiKey: k }').providers, [{ apiKey: 'k', credentials: null }])
  t.match(reason(`vertex: { ${PLACE} }`), /vertex: it has no apiKey, and no credentials \(kind gcp\)/)
})

test('the token endpoint is reached by the proxy that its own address asks for', async (t) => {
  const env = { HTTPS_PROXY: 'http://proxy.example:3128', NO_PROXY: 'aiplatform.googleapis.com' }
  t.match(credentialsOf(gcp(', file: account.json'), env), { proxy: 'http://proxy.example:3128' })
  t.match(credentialsOf(gcp(', file: account.json'), { ...env, NO_PROXY: 'tokens.example' }), { proxy: null })
  t.match(credentialsOf(gcp(''), env), { proxy: null }, 'a metadata server is on the link')
})
