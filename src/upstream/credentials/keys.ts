// Pairs of keys for signatures: fixed ones, or temporary ones from a token file by web identity, from the server of a container or
// from the metadata server of the machine, version 2.
// @see https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
import { type KeySource } from '../../config/credential-types.js'
import { type JsonObject } from '../../model/json.js'
import { askIssuer, askIssuerForJson, CredentialsError } from './issuer-request.js'
import { type Lease } from './renewing.js'
import { readSecret } from './tokens.js'

export type SigningKeys = {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Null for keys that do not expire. */
  readonly sessionToken: string | null
}

const SESSION_HEADER = 'x-aws-ec2-metadata-token'
const SESSION_TTL = { 'x-aws-ec2-metadata-token-ttl-seconds': '300' }
const ROLES_PATH = '/latest/meta-data/iam/security-credentials/'
const ROLE = /^[\w+=,.@-]{1,128}$/
/** Visible ASCII without blanks: they go into headers. */
const WORD = /^[\x21-\x7e]{1,16384}$/

/** New keys. @throws CredentialsError */
export async function obtainKeys(source: KeySource, proxy: string | null): Promise<Lease<SigningKeys>> {
  switch (source.from) {
    case 'keys': {
      const { accessKeyId, secretAccessKey, sessionToken } = source
      return { value: { accessKeyId, secretAccessKey, sessionToken }, expiresAtMs: Number.POSITIVE_INFINITY }
    }
    case 'web-identity':
      return assumeRole(source, proxy)
    case 'container': {
      const token = source.tokenFile === null ? source.token : await readSecret(source.tokenFile)
      const headers = token === null ? {} : { authorization: token }
      return leaseOf(await askIssuerForJson({ url: source.url, method: 'GET', headers }), source.url)
    }
    case 'instance':
      return askInstance(source.url)
  }
}

/** AssumeRoleWithWebIdentity, the one call that needs no signature. Its answer is XML. */
async function assumeRole(
  { url, roleArn, sessionName, tokenFile }: Extract<KeySource, { from: 'web-identity' }>,
  proxy: string | null,
): Promise<Lease<SigningKeys>> {
  const form = {
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: roleArn,
    RoleSessionName: sessionName,
    WebIdentityToken: await readSecret(tokenFile),
  }
  const text = await askIssuer({ url, method: 'POST', form, proxy, headers: { accept: 'text/xml' } })
  const member = (name: string): string => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1] ?? ''
  const json = {
    AccessKeyId: member('AccessKeyId'),
    SecretAccessKey: member('SecretAccessKey'),
    Token: member('SessionToken'),
    Expiration: member('Expiration'),
  }
  return leaseOf(json, url)
}

async function askInstance(base: string): Promise<Lease<SigningKeys>> {
  const session = await askIssuer({ url: `${base}/latest/api/token`, method: 'PUT', headers: SESSION_TTL })
  const headers = { [SESSION_HEADER]: session }
  const roles = await askIssuer({ url: base + ROLES_PATH, method: 'GET', headers })
  const role = roles.split('\n')[0]?.trim() ?? ''
  if (!ROLE.test(role)) throw new CredentialsError('this machine has no role')
  return leaseOf(await askIssuerForJson({ url: base + ROLES_PATH + role, method: 'GET', headers }), base)
}

function leaseOf(answer: JsonObject, url: string): Lease<SigningKeys> {
  const [id, secret, token] = [answer.AccessKeyId, answer.SecretAccessKey, answer.Token]
  const expiresAtMs = typeof answer.Expiration === 'string' ? Date.parse(answer.Expiration) : Number.NaN
  if (!isWord(id) || !isWord(secret) || !isWord(token) || Number.isNaN(expiresAtMs)) {
    throw new CredentialsError(`${new URL(url).host} sent no temporary keys`)
  }
  return { value: { accessKeyId: id, secretAccessKey: secret, sessionToken: token }, expiresAtMs }
}

function isWord(value: unknown): value is string {
  return typeof value === 'string' && WORD.test(value)
}
