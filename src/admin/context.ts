// What the routes of the admin API need of the gateway. gateway/admin.ts fills it.
import { type AccountCalls } from '../accounts/store.js'
import { type KeyConfig } from '../config/types.js'
import { type JsonObject } from '../model/json.js'
import { type ClientRequest, type ExchangeHandle } from '../pipeline/client.js'
import { type Sink } from '../pipeline/sink.js'
import { type ClientOrigin } from '../telemetry/records.js'
import { type Audit } from './audit.js'
import { type AllLoops } from './loops/all-loops.js'
import { type Pauses } from './pauses.js'

/** A provider of the running configuration. */
export type ProviderFacts = {
  readonly name: string
  readonly protocol: string
  readonly baseUrl: string
  /** The worst state of its targets on any event loop: `closed`, `half-open` or `open`. */
  readonly breaker: string
}

/** One change of a reload: values as `sluice check` shows them, secrets masked. */
export type ConfigChange = { readonly path: string; readonly before: unknown; readonly after: unknown }

/** The last time that the configuration was read again. */
export type LastReload = {
  readonly atMs: number
  readonly result: 'ok' | 'unchanged' | 'rejected'
  /** Why it was rejected; null if it was not. */
  readonly reason: string | null
  /** Options that differ and take effect only at a restart. */
  readonly kept: readonly string[]
  readonly changes: readonly ConfigChange[]
}

/** The running configuration. */
export type ConfigReport = {
  /** In the form of the file, secrets masked. */
  readonly config: JsonObject
  /** Where options were set: path -> `sluice.yaml:3`, a variable or an option of the command line. The others are defaults. */
  readonly origins: Readonly<Record<string, string>>
  readonly file: string | null
  readonly warnings: readonly string[]
  readonly startedAtMs: number
  /** Null before the first. */
  readonly reload: LastReload | null
}

/** Requests that operators try under a key of a client; null: the gateway has no keys. */
export type Trials = {
  /** Names of the models that the key may use. @throws not_found, invalid_request, conflict for a key that may do nothing */
  models(key: string | null): Promise<readonly string[]>
  /** What begins such a request. `owner`: what the key must belong to, if it matters. @throws the same; what refuses a new request of this key, such as a drain */
  prepare(
    key: string | null,
    path: string,
    owner?: string | null,
  ): Promise<(trial: Trial, sink: Sink) => ExchangeHandle>
}
export type Trial = Pick<ClientRequest, 'requestId' | 'acceptedAtMs' | 'body'> & {
  readonly origin: ClientOrigin
  /** Whether the operator who began it may still do so. */
  readonly isAllowed: () => boolean
}

export type AdminContext = {
  /** Name of this machine. */
  readonly node: string
  readonly loops: AllLoops
  readonly audit: Audit
  readonly config: () => ConfigReport
  readonly providers: () => readonly ProviderFacts[]
  /** Providers that operators have paused. */
  readonly paused: Pauses
  readonly version: () => string
  readonly trials: Trials
  /** Keys and teams of the database; null without one. */
  readonly accounts: () => AccountCalls | null
  /** Keys of the configuration file. */
  readonly fileKeys: () => readonly KeyConfig[]
}
