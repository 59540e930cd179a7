// What `sluice check` prints: the effective configuration as YAML in the form of the file, every secret masked. Returns text
// and prints nothing.

import { stringify } from 'yaml'
import { isJsonArray, isJsonObject, type JsonValue } from '../model/json.js'
import { type CredentialsConfig, secretsOfCredentials } from './credential-types.js'
import { type AdminConfig, type ListenerTls } from './listener-types.js'
import { type LoadedConfig, type Overrides } from './load.js'
import { readCatalog, readConfig } from './read.js'
import { type AccountsConfig } from './store-types.js'
import { type Config, type KeyConfig, type ModelConfig, type ProviderConfig, type ProviderTls } from './types.js'

const MASK = '********'
/** Members of extraBody that look like secrets. */
const SECRET_NAME = /key|token|secret|password|credential|auth/i
/** Lists and maps of plain values stay on one line up to this width. */
const LINE_WIDTH = 120

/** The effective configuration in the form of the file, every secret masked. */
export function maskConfig(config: Config): object {
  return {
    server: { ...config.server, tls: maskListenerTls(config.server.tls) },
    admin: maskAdmin(config.admin),
    offload: config.offload,
    keys: config.keys.map(maskKey),
    accounts: maskAccounts(config.accounts),
    budgets: config.budgets,
    auth: config.auth,
    limits: config.limits,
    routing: config.routing,
    providers: Object.fromEntries(config.providers.map((provider) => [provider.name, maskProvider(provider)])),
    models: Object.fromEntries(config.models.map((model) => [model.name, maskModel(model)])),
    jobs: { ...config.jobs, webhook: maskWebhook(config.jobs.webhook) },
    streams: { ...config.streams, tokenSecret: mask(config.streams.tokenSecret) },
    responses: config.responses,
    redis: { url: maskPassword(config.redis.url) },
    metrics: { ...config.metrics, token: mask(config.metrics.token) },
    content: config.content,
    prices: showPrices(config),
    prompts: config.prompts,
    log: config.log,
    telemetry: { propagate: config.telemetry.propagate },
    compat: config.compat,
  }
}

/** Warnings come first, as comments. */
export function renderConfig(config: Config): string {
  const warnings = config.warnings.map((warning) => `# warning: ${warning.replaceAll('\n', ' ')}\n`).join('')
  const simulator =
    config.simulator === 'stand-in' ? '# no provider is configured: the built-in simulator serves\n' : ''
  return `${warnings}${simulator}${stringify(maskConfig(config), { lineWidth: LINE_WIDTH, aliasDuplicateObjects: false })}`
}

/**
 * What the command prints for the configuration of this process.
 * @throws misconfigured with one line per problem
 */
export function checkConfig(overrides: Overrides): string {
  const loaded = readConfig(overrides, readCatalog())
  return renderConfig(loaded.config) + renderVerdict(loaded)
}

/** The last line of a check that found nothing wrong. */
export function renderVerdict({ config, configFile }: Pick<LoadedConfig, 'config' | 'configFile'>): string {
  const count = config.warnings.length
  const warned = count === 0 ? 'no warnings' : `${count} warning${count === 1 ? '' : 's'}`
  return `# valid: ${configFile ?? 'no file, the environment alone'} (${warned})`
}

/** Without the list itself. */
function showPrices({ prices: { table: _, ...prices } }: Config): object {
  return { ...prices, url: maskPassword(prices.url) }
}

function mask(secret: string | null): string | null {
  return secret === null ? null : MASK
}

/** Masks the password of a URL and what its query says; one that cannot be parsed is masked completely. */
function maskAccounts(accounts: AccountsConfig) {
  const { url, tokenSecret, previousTokenSecret } = accounts
  const masked = { tokenSecret: mask(tokenSecret), previousTokenSecret: mask(previousTokenSecret) }
  return { ...accounts, url: maskPassword(url), ...masked }
}

function maskPassword(address: string | null): string | null {
  if (address === null || !URL.canParse(address)) return mask(address)
  const url = new URL(address)
  if (url.password !== '') url.password = MASK
  // Clients of databases take a password from there as well, and a signed URL is a secret under many names.
  for (const name of new Set(url.searchParams.keys())) url.searchParams.set(name, MASK)
  return url.href
}

/** The user name of a proxy may be a token as well. */
function maskCredentials(address: string | null): string | null {
  if (address === null || !URL.canParse(address)) return mask(address)
  const url = new URL(address)
  if (url.username !== '') url.username = MASK
  if (url.password !== '') url.password = MASK
  return url.href
}

/** What the files hold; what is no secret is long. */
function maskTls({ ca, cert, key, serverName }: ProviderTls): object {
  return { ca: mask(ca), cert: mask(cert), key: mask(key), serverName }
}

/** Where they come from is shown, the secrets are not. */
function maskCloud(credentials: CredentialsConfig): object {
  const secrets = new Set(secretsOfCredentials(credentials))
  const { source, proxy } = credentials
  const masked = JSON.parse(
    JSON.stringify(source, (_name, value: unknown) =>
      typeof value === 'string' && value !== '' && secrets.has(value) ? MASK : value,
    ),
  )
  return { ...credentials, source: masked, proxy: maskCredentials(proxy) }
}

function maskListenerTls(tls: ListenerTls | null): object | null {
  if (tls === null) return null
  const { certFile, keyFile, passphrase } = tls
  return { certFile, keyFile, passphrase: mask(passphrase) }
}

function maskAdmin(admin: AdminConfig): object {
  return { ...admin, tls: maskListenerTls(admin.tls), keys: admin.keys.map((key) => ({ ...key, keySha256: MASK })) }
}

function maskWebhook(webhook: Config['jobs']['webhook']): object {
  return { ...webhook, secret: mask(webhook.secret), previousSecret: mask(webhook.previousSecret) }
}

/** The hash of a weak key can be reversed, so it is a secret too. */
function maskKey(key: KeyConfig): object {
  return { ...key, keySha256: MASK }
}

function maskProvider({ name: _, ...provider }: ProviderConfig): object {
  const headers = Object.fromEntries(Object.keys(provider.headers).map((header) => [header, MASK]))
  const { proxy = null, tls = null, credentials = null } = provider
  const shown = {
    proxy: maskCredentials(proxy),
    tls: tls === null ? null : maskTls(tls),
    credentials: credentials === null ? null : maskCloud(credentials),
  }
  return { ...provider, ...shown, apiKey: mask(provider.apiKey), headers, extraBody: maskMembers(provider.extraBody) }
}

function maskModel(model: ModelConfig): object {
  const { name: _, ...rest } = model
  const targets = model.targets.map((target) => ({ ...target, extraBody: maskMembers(target.extraBody) }))
  return { ...rest, targets }
}

function maskMembers(value: JsonValue): JsonValue {
  if (isJsonArray(value)) return value.map(maskMembers)
  if (!isJsonObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      SECRET_NAME.test(name) && typeof member === 'string' ? MASK : maskMembers(member),
    ]),
  )
}
