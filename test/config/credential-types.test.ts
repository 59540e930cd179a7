// What is secret in resolved credentials: everything that proves who asks, and nothing that only says who it is.
import { test } from 'tap'
import { type CredentialsConfig, IDENTITY_HEADER, secretsOfCredentials } from '../../src/config/credential-types.js'

const PEM = '-----BEGIN PRIVATE KEY-----\nLINE-1\nLINE-2\n-----END PRIVATE KEY-----\n'
const bearer = (source: Extract<CredentialsConfig, { kind: 'bearer' }>['source']): CredentialsConfig => ({
  ...{ kind: 'bearer', source, proxy: null },
})
const signed = (source: Extract<CredentialsConfig, { kind: 'signature' }>['source']): CredentialsConfig => ({
  ...{ kind: 'signature', region: 'r', service: 's', source, proxy: null },
})

const URL = 'https://issuer.example/'
const CASES: readonly (readonly [name: string, credentials: CredentialsConfig | null, secrets: readonly string[]])[] = [
  ['none', null, []],
  [
    'a client secret',
    bearer({ from: 'form', url: URL, files: {}, form: { client_id: 'c', client_secret: 'S' } }),
    ['S'],
  ],
  [
    "a user's login",
    bearer({ from: 'form', url: URL, files: {}, form: { client_secret: 'S', refresh_token: 'R' } }),
    ['S', 'R'],
  ],
  ['a file of the platform', bearer({ from: 'form', url: URL, files: { client_assertion: '/f' }, form: {} }), []],
  [
    'a private key, with its lines',
    bearer({ from: 'assertion', url: URL, issuer: 'i', keyId: 'k', scope: 's', privateKey: PEM }),
    [PEM, 'LINE-1', 'LINE-2'],
  ],
  ['a metadata server', bearer({ from: 'metadata', url: URL, headers: { metadata: 'true' } }), []],
  ['the metadata server of an app', bearer({ from: 'metadata', url: URL, headers: { [IDENTITY_HEADER]: 'H' } }), ['H']],
  ['keys', signed({ from: 'keys', accessKeyId: 'A', secretAccessKey: 'S', sessionToken: null }), ['S']],
  ['temporary keys', signed({ from: 'keys', accessKeyId: 'A', secretAccessKey: 'S', sessionToken: 'T' }), ['S', 'T']],
  ['web identity', signed({ from: 'web-identity', url: URL, roleArn: 'a', sessionName: 's', tokenFile: '/t' }), []],
  ['a container', signed({ from: 'container', url: URL, token: 'T', tokenFile: null }), ['T']],
  ['a machine', signed({ from: 'instance', url: URL }), []],
]

for (const [name, credentials, secrets] of CASES) {
  test(`the secrets of ${name}`, async (t) => {
    t.same(
      secretsOfCredentials(credentials).filter((secret) => secret !== ''),
      secrets,
    )
  })
}
