// Which parts of a new configuration can take effect in a running process. Pure: it compares, and lists what needs a restart.

import { isDeepStrictEqual } from 'node:util'
import { type AdminConfig, type ListenerTls } from '../listener-types.js'
import { freeze } from '../load.js'
import { type AccountsConfig } from '../store-types.js'
import { type Config } from '../types.js'

export type ReloadPlan = {
  /** The new configuration, with the options that need a restart as they were. */
  readonly config: Config
  /** Options that differ and take effect only at a restart. */
  readonly kept: readonly string[]
  /** Nothing that can take effect differs. */
  readonly isUnchanged: boolean
}

type Option = { readonly path: string; readonly read: (config: Config) => unknown }

/** These are fixed in sockets, threads, shared memory or the engine's routes. */
const FIXED: readonly Option[] = [
  { path: 'server.host', read: ({ server }) => server.host },
  { path: 'server.port', read: ({ server }) => server.port },
  { path: 'server.threads', read: ({ server }) => server.threads },
  { path: 'server.maxBodyBytes', read: ({ server }) => server.maxBodyBytes },
  { path: 'server.maxMessageBytes', read: ({ server }) => server.maxMessageBytes },
  { path: 'server.maxReaderLagBytes', read: ({ server }) => server.maxReaderLagBytes },
  { path: 'server.tls', read: ({ server }) => server.tls !== null },
  { path: 'admin.host', read: ({ admin }) => admin.host },
  { path: 'admin.port', read: ({ admin }) => admin.port },
  { path: 'admin.tls', read: ({ admin }) => admin.tls !== null },
  { path: 'admin.keys', read: ({ admin }) => admin.keys.length > 0 },
  { path: 'accounts', read: ({ accounts }) => ({ ...accounts, ...NO_TOKEN_SECRETS }) },
  { path: 'budgets', read: ({ budgets }) => budgets },
  { path: 'offload', read: ({ offload }) => offload },
  { path: 'limits.failedKeysPerMinute', read: ({ limits }) => limits.failedKeysPerMinute },
  { path: 'compat.apiPrefix', read: ({ compat }) => compat.apiPrefix },
  { path: 'compat.ollamaPrefix', read: ({ compat }) => compat.ollamaPrefix },
  { path: 'compat.healthStatus', read: ({ compat }) => compat.healthStatus },
  { path: 'metrics.port', read: ({ metrics }) => metrics.port },
  { path: 'jobs.store', read: ({ jobs }) => jobs.store },
  { path: 'jobs.path', read: ({ jobs }) => jobs.path },
  { path: 'streams.store', read: ({ streams }) => streams.store },
  { path: 'streams.cacheStore', read: ({ streams }) => streams.cacheStore },
  { path: 'responses.store', read: ({ responses }) => responses.store },
  { path: 'responses.path', read: ({ responses }) => responses.path },
  { path: 'responses.maxMessageBytes', read: ({ responses }) => responses.maxMessageBytes },
  { path: 'redis.url', read: ({ redis }) => redis.url },
  { path: 'log.file', read: ({ log }) => log.file },
  { path: 'telemetry', read: ({ telemetry }) => telemetry },
]

const NO_TOKEN_SECRETS = Object.freeze({ tokenSecret: null, previousTokenSecret: null })

/** Lays the new configuration over the running one. The result is frozen. */
export function planReload(running: Config, next: Config): ReloadPlan {
  const kept = FIXED.filter(({ read }) => !isDeepStrictEqual(read(next), read(running))).map(({ path }) => path)
  const { host, port, threads, maxBodyBytes, maxMessageBytes, maxReaderLagBytes } = running.server
  const { apiPrefix, ollamaPrefix, healthStatus } = running.compat
  const tls = tlsOf(running.server.tls, next.server.tls)
  const config = freeze({
    ...next,
    server: { ...next.server, host, port, threads, maxBodyBytes, maxMessageBytes, maxReaderLagBytes, tls },
    admin: adminOf(running.admin, next.admin),
    accounts: accountsOf(running.accounts, next.accounts),
    budgets: running.budgets,
    offload: running.offload,
    limits: { ...next.limits, failedKeysPerMinute: running.limits.failedKeysPerMinute },
    compat: { ...next.compat, apiPrefix, ollamaPrefix, healthStatus },
    metrics: { ...next.metrics, port: running.metrics.port },
    jobs: { ...next.jobs, store: running.jobs.store, path: running.jobs.path },
    streams: { ...next.streams, store: running.streams.store, cacheStore: running.streams.cacheStore },
    responses: {
      ...next.responses,
      store: running.responses.store,
      path: running.responses.path,
      maxMessageBytes: running.responses.maxMessageBytes,
    },
    redis: running.redis,
    log: { ...next.log, file: running.log.file },
    telemetry: running.telemetry,
  })
  return { config, kept, isUnchanged: isDeepStrictEqual(config, running) }
}

/** Only what signs and checks browser tokens is taken. */
function accountsOf(running: AccountsConfig, { tokenSecret, previousTokenSecret }: AccountsConfig): AccountsConfig {
  return { ...running, tokenSecret, previousTokenSecret }
}

/** Another certificate is taken; a listener that speaks TLS does not change over. */
function tlsOf(running: ListenerTls | null, next: ListenerTls | null): ListenerTls | null {
  return (running === null) === (next === null) ? next : running
}

/** Keys are taken, but not the first one nor the end of all: the listener is there or not. */
function adminOf(running: AdminConfig, next: AdminConfig): AdminConfig {
  const isSwitched = running.keys.length > 0 !== next.keys.length > 0
  const keys = isSwitched ? running.keys : next.keys
  const { host, port } = running
  const { allowedHosts, maxKeptBytes } = next
  return { host, port, allowedHosts, tls: tlsOf(running.tls, next.tls), keys, maxKeptBytes }
}
