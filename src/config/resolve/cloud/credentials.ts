// Resolves the credentials of a provider that expire: which kind, from where, asked of whom. Options of the entry come first, then the
// variables that the profile names, then its defaults. All is decided here, once; a file of a private key is read, and checked.
//
//   aws    keys | web identity | container | instance  -> signatures
//   gcp    service account | user's login | metadata    -> bearer tokens
//   entra  client secret | federated file | managed     -> bearer tokens
import { createPrivateKey } from 'node:crypto'
import { isJsonObject, type JsonObject } from '../../../model/json.js'
import { type VendorProfile } from '../../catalog.js'
import { type CredentialsConfig, IDENTITY_HEADER, type KeySource, type TokenSource } from '../../credential-types.js'
import { type ProviderEntry } from '../../schema/provider.js'
import { type Variables } from '../../sources/substitute.js'
import { type Path } from '../../validate/problem.js'
import { isWithin, parseAddress, parseNetwork } from '../addresses.js'
import { resolveProxy } from '../proxies.js'
import { readTlsFile, type TlsSources } from '../tls/tls-files.js'

type Entry = NonNullable<ProviderEntry['credentials']>
type Kind = Entry['kind']

export type CredentialsContext = {
  /** Name of the provider. */
  readonly name: string
  readonly at: Path
  readonly profile: VendorProfile | null
  readonly files: TlsSources
  readonly variables: Variables
}

/** Options of each kind. */
const OPTIONS: Readonly<Record<Kind, readonly string[]>> = {
  aws: ['accessKeyId', 'secretAccessKey', 'sessionToken', 'roleArn', 'tokenFile', 'service', 'tokenUrl', 'metadataUrl'],
  gcp: ['file', 'json', 'scope', 'tokenUrl', 'metadataUrl'],
  entra: ['tenant', 'clientId', 'clientSecret', 'scope', 'tokenUrl', 'metadataUrl'],
}

/** Null if the entry has none, or if they are wrong (a problem says why). */
export function resolveCredentials(entry: ProviderEntry, context: CredentialsContext): CredentialsConfig | null {
  const { credentials } = entry
  if (credentials === null) return null
  const known = OPTIONS[credentials.kind]
  const at = [...context.at, 'credentials']
  for (const option of Object.keys(credentials)) {
    if (option === 'kind' || known.includes(option)) continue
    context.files.problems.add([...at, option], `is not an option of kind ${credentials.kind}`)
  }
  const facts = new Facts(credentials, context, at)
  return credentials.kind === 'aws' ? signatures(entry, facts) : tokens(entry, facts, credentials.kind)
}

function signatures(entry: ProviderEntry, facts: Facts): CredentialsConfig | null {
  const { region } = entry.address
  if (region === undefined) facts.add('kind', 'requires address.region, which is part of each signature')
  const service = facts.need('service')
  const source = keySource(facts, region ?? '')
  if (region === undefined || service === null || source === null) return null
  const proxy = source.from === 'web-identity' ? facts.proxyTo(source.url, entry) : null
  return { kind: 'signature', region, service, source, proxy }
}

const KEY_OPTIONS = ['accessKeyId', 'secretAccessKey', 'sessionToken']

/** The first that is there; what the entry says comes before all variables. */
function keySource(facts: Facts, region: string): KeySource | null {
  const own = KEY_OPTIONS.map((option) => facts.own(option))
  if (own.some((value) => value !== null)) return fixedKeys(facts, own)
  const isOwnRole = facts.own('roleArn') !== null || facts.own('tokenFile') !== null
  const given = KEY_OPTIONS.map((option) => facts.get(option))
  if (!isOwnRole && given[0] !== null && given[1] !== null) return fixedKeys(facts, given)
  if (isOwnRole || (facts.get('tokenFile') !== null && facts.get('roleArn') !== null)) return webIdentity(facts, region)
  const url = facts.get('containerUrl') ?? facts.prefixed('containerPath', 'containerHost')
  if (url !== null) {
    const source = { url, token: facts.line('containerToken'), tokenFile: facts.get('containerTokenFile') }
    return facts.isTrusted(url, 'kind') ? { from: 'container', ...source } : null
  }
  const server = facts.need('metadataUrl')
  return server !== null && facts.isTrusted(server, 'metadataUrl') ? { from: 'instance', url: trimmed(server) } : null
}

function fixedKeys(facts: Facts, [id, secret, session]: readonly (string | null | undefined)[]): KeySource | null {
  if (!id) facts.add('accessKeyId', 'is required with secretAccessKey')
  if (!secret) facts.add('secretAccessKey', 'is required with accessKeyId')
  for (const [at, value] of [id, secret, session].entries()) {
    if (value && !WORD.test(value)) facts.reject(KEY_OPTIONS[at] ?? '', 'must be printable ASCII without spaces')
  }
  return id && secret ? { from: 'keys', accessKeyId: id, secretAccessKey: secret, sessionToken: session ?? null } : null
}

function webIdentity(facts: Facts, region: string): KeySource | null {
  const url = facts.need('tokenUrl')?.replace('{region}', region) ?? null
  const [roleArn, tokenFile] = [facts.need('roleArn'), facts.need('tokenFile')]
  if (url === null || roleArn === null || tokenFile === null || !facts.isTrusted(url, 'tokenUrl')) return null
  return { from: 'web-identity', url, roleArn, tokenFile, sessionName: facts.get('roleSessionName') ?? 'sluice' }
}

function tokens(entry: ProviderEntry, facts: Facts, kind: Exclude<Kind, 'aws'>): CredentialsConfig | null {
  const source = kind === 'gcp' ? accountSource(facts) : clientSource(facts)
  if (source === null) return null
  if (!facts.isTrusted(source.url, source.from === 'metadata' ? 'metadataUrl' : 'tokenUrl')) return null
  const proxy = source.from === 'metadata' ? null : facts.proxyTo(source.url, entry)
  return { kind: 'bearer', source, proxy }
}

/** A file of credentials by what it says of itself; without one, the metadata server of the machine. */
function accountSource(facts: Facts): TokenSource | null {
  const file = facts.own('json') === null ? facts.get('file') : null
  const text = facts.own('json') ?? (file === null ? null : facts.read(file))
  if (text === null) return file === null ? metadata(facts, {}) : null
  const option = file === null ? 'json' : 'file'
  const account = parseOrNull(text)
  switch (account?.type) {
    case 'service_account':
      return serviceAccount(account, facts, option)
    case 'authorized_user':
      return userLogin(account, facts, option)
    default:
      facts.add(option, 'must hold a service account, or the login of a user (type service_account or authorized_user)')
      return null
  }
}

function serviceAccount(account: JsonObject, facts: Facts, option: string): TokenSource | null {
  const scope = facts.need('scope')
  const url = facts.own('tokenUrl') ?? textOf(account.token_uri) ?? facts.need('tokenUrl')
  const issuer = textOf(account.client_email)
  const privateKey = toPkcs8(textOf(account.private_key))
  if (issuer === null || privateKey === null) {
    facts.add(option, 'holds no client_email, or no RSA private_key')
    return null
  }
  if (scope === null || url === null) return null
  return { from: 'assertion', url, issuer, keyId: textOf(account.private_key_id), privateKey, scope }
}

function userLogin(account: JsonObject, facts: Facts, option: string): TokenSource | null {
  const url = facts.need('tokenUrl')
  const form: Record<string, string> = { grant_type: 'refresh_token' }
  for (const member of ['client_id', 'client_secret', 'refresh_token']) {
    const value = textOf(account[member])
    if (value === null) facts.add(option, `holds no ${member}`)
    else form[member] = value
  }
  return url === null || Object.keys(form).length < 4 ? null : { from: 'form', url, form, files: {} }
}

/** By a secret, by a file that the platform renews, or without either by the identity of the machine. */
function clientSource(facts: Facts): TokenSource | null {
  const [secret, file] = [facts.get('clientSecret'), facts.get('tokenFile')]
  if (secret === null && file === null) return managedIdentity(facts)
  const [url, clientId, scope] = [facts.need('tokenUrl'), facts.need('clientId'), facts.need('scope')]
  const tenant = facts.need('tenant')
  if (url === null || clientId === null || scope === null || tenant === null) return null
  const form = { grant_type: 'client_credentials', client_id: clientId, scope }
  const filled = url.replace('{tenant}', encodeURIComponent(tenant))
  if (secret !== null) return { from: 'form', url: filled, form: { ...form, client_secret: secret }, files: {} }
  const files = { client_assertion: file ?? '' }
  return { from: 'form', url: filled, form: { ...form, client_assertion_type: ASSERTION_TYPE }, files }
}

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
/** The versions of the two services, on a machine and in an app. */
const MACHINE_VERSION = '2018-02-01'
const APP_VERSION = '2019-08-01'

function managedIdentity(facts: Facts): TokenSource | null {
  const scope = facts.need('scope')
  if (scope === null) return null
  const clientId = facts.get('clientId')
  const query = {
    resource: scope.replace(/\/\.default$/, ''),
    ...(clientId === null ? {} : { client_id: clientId }),
  }
  const [url, secret] = [facts.get('identityUrl'), facts.line('identityHeader')]
  if (url === null || secret === null) return metadata(facts, { 'api-version': MACHINE_VERSION, ...query })
  const headers = { [IDENTITY_HEADER]: secret }
  return { from: 'metadata', url: withQuery(url, { 'api-version': APP_VERSION, ...query }), headers }
}

function metadata(facts: Facts, query: Readonly<Record<string, string>>): TokenSource | null {
  const url = facts.need('metadataUrl')
  const [name = '', value = ''] = (facts.get('metadataHeader') ?? '').split(/:\s*/)
  return url === null
    ? null
    : { from: 'metadata', url: withQuery(url, query), headers: name === '' ? {} : { [name]: value } }
}

function withQuery(url: string, query: Readonly<Record<string, string>>): string {
  const text = new URLSearchParams(query).toString()
  return text === '' ? url : `${url}${url.includes('?') ? '&' : '?'}${text}`
}

/** What is sent in a header, or what such a header is made with: the line end of a mounted file is no part of a key. */
const WORD = /^[\x21-\x7e]+$/
const LINE = /^[\x20-\x7e]+$/

/** Where secrets may go without TLS: nowhere but this machine and the link. */
const LOCAL_NETWORKS = ['127.0.0.0/8', '::1', '169.254.0.0/16', 'fd00:ec2::/32'].flatMap(
  (text) => parseNetwork(text) ?? [],
)

/** The options of one entry, with what the profile adds to them. */
class Facts {
  readonly #entry: Readonly<Record<string, unknown>>
  readonly #context: CredentialsContext
  readonly #at: Path
  readonly #profile: NonNullable<VendorProfile['credentials']> | null

  constructor(entry: Entry, context: CredentialsContext, at: Path) {
    this.#entry = entry
    this.#context = context
    this.#at = at
    const offered = context.profile?.credentials
    this.#profile = offered?.kind === entry.kind ? offered : null
  }

  /** What the entry itself says. */
  own(option: string): string | null {
    return textOf(this.#entry[option])
  }

  get(option: string): string | null {
    const names = this.#profile?.variables?.[option] ?? []
    const variable = names.find((name) => (this.#context.variables[name] ?? '') !== '')
    const named = variable === undefined ? null : (this.#context.variables[variable] ?? null)
    return this.own(option) ?? named ?? this.#profile?.defaults?.[option] ?? null
  }

  /** A missing one is a problem. */
  need(option: string): string | null {
    const value = this.get(option)
    if (value === null) this.reject(option, 'is required')
    return value
  }

  /** One that a header cannot hold is a problem. */
  line(option: string): string | null {
    const value = this.get(option)
    if (value !== null && !LINE.test(value)) this.reject(option, 'must be printable ASCII')
    return value
  }

  /** Names the variables that set the option, too: the value may come from there. */
  reject(option: string, reason: string): void {
    const names = this.#profile?.variables?.[option] ?? []
    this.add(option, names.length === 0 ? reason : `${reason}; ${names.join(' or ')} sets it, too`)
  }

  /** A path that a variable has, behind the origin that the profile knows. */
  prefixed(path: string, origin: string): string | null {
    const [found, host] = [this.get(path), this.get(origin)]
    return found === null || host === null ? null : host + found
  }

  add(option: string, reason: string): void {
    this.#context.files.problems.add([...this.#at, option], reason)
  }

  read(file: string): string | null {
    return readTlsFile([...this.#at, 'file'], file, this.#context.files)
  }

  /** Credentials go there: by TLS, or not beyond this machine and its link. */
  isTrusted(url: string, option: string): boolean {
    const { protocol = '', hostname = '', username = '', password = '' } = URL.canParse(url) ? new URL(url) : {}
    const address = parseAddress(hostname.replace(/^\[(.*)\]$/, '$1'))
    const isLocal = address !== null && LOCAL_NETWORKS.some((network) => isWithin(address, network))
    const isPrivate = protocol === 'https:' || (protocol === 'http:' && (isLocal || hostname === 'localhost'))
    if (!isPrivate) this.add(option, 'must be an https URL, or http to this machine or a link-local address')
    const isBare = username === '' && password === ''
    if (!isBare) this.add(option, 'must not contain a user name or password')
    return isPrivate && isBare
  }

  proxyTo(url: string, { proxy }: ProviderEntry): string | null {
    const { name, variables, files } = this.#context
    return resolveProxy({ name, baseUrl: url, proxy, variables }, files.problems)
  }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

function trimmed(url: string): string {
  return url.replace(/\/+$/, '')
}

function parseOrNull(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) ? value : null
  } catch {
    return null
  }
}

/** Null for what is no RSA key. */
function toPkcs8(pem: string | null): string | null {
  try {
    const key = createPrivateKey(pem ?? '')
    return key.asymmetricKeyType === 'rsa' ? key.export({ type: 'pkcs8', format: 'pem' }).toString() : null
  } catch {
    return null
  }
}
