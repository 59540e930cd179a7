// The admin API as the rest of the process knows it: keys by SHA-256 alone, and no listener that others could reach in plain text.
import { type AdminConfig, type AdminKeyConfig } from '../listener-types.js'
import { type AdminEntry, type AdminKeyEntry } from '../schema/server.js'
import { type KeyConfig } from '../types.js'
import { isPlaceholder } from '../validate/placeholder.js'
import { type Path } from '../validate/problem.js'
import { isLoopback } from './addresses.js'
import { hashOf } from './gateway-keys.js'
import { resolveListenerTls } from './tls/listener-tls.js'
import { type TlsSources } from './tls/tls-files.js'

/** The name of the key that `admin.key` and ADMIN_KEY set. */
const OWN_NAME = 'admin'

/** `gatewayKeys`: a key of clients must not be one of the admin API as well. */
export function resolveAdmin(admin: AdminEntry, gatewayKeys: readonly KeyConfig[], sources: TlsSources): AdminConfig {
  const { host, port, allowedHosts, tls, maxKeptBytes } = admin
  const keys = resolveAdminKeys(admin, gatewayKeys, sources)
  if (keys.length > 0 && tls === null && !isLoopback(host)) {
    const reason =
      'must be a loopback address unless admin.tls is set, because keys would cross the network in plain text'
    sources.problems.add(['admin', 'host'], reason)
  }
  return { host, port, allowedHosts, tls: resolveListenerTls(['admin', 'tls'], tls, sources), keys, maxKeptBytes }
}

function resolveAdminKeys(
  { key, keys }: AdminEntry,
  gatewayKeys: readonly KeyConfig[],
  { problems, warnings }: TlsSources,
): AdminKeyConfig[] {
  const clients = new Set(gatewayKeys.map(({ keySha256 }) => keySha256))
  const names = new Set<string>()
  const hashes = new Set<string>()
  const take = (path: Path, entry: AdminKeyEntry): AdminKeyConfig => {
    const keySha256 = hashOf(path, entry, problems)
    if (names.has(entry.name)) problems.add([...path, 'name'], 'duplicates the name of another admin key')
    if (keySha256 !== '' && hashes.has(keySha256)) problems.add(path, 'duplicates another admin key')
    if (clients.has(keySha256)) problems.add(path, 'is a gateway key as well; clients must not have an admin key')
    names.add(entry.name)
    hashes.add(keySha256)
    return { name: entry.name, keySha256, role: entry.role }
  }
  if (isPlaceholder(key ?? '') || keys.some((entry) => isPlaceholder(entry.key ?? ''))) {
    warnings.push('an admin key looks like a placeholder from documentation and can be guessed')
  }
  const own = key === null ? [] : [take(['admin', 'key'], { name: OWN_NAME, key, role: 'write' })]
  return [...own, ...keys.map((entry, index) => take(['admin', 'keys', index], entry))]
}
