// What a gateway logs and counts about itself: start, reloads, paused listeners.
import { type JournalState } from '../accounts/budgets/ledger.js'
import { needsKeys } from '../config/resolve/gateway-keys.js'
import { type Config } from '../config/types.js'
import { type LoopMetrics } from '../telemetry/metrics/metrics.js'
import { type Log } from '../telemetry/records.js'

/** Where the running configuration was read: the file, and the place of each value. @see LoadedConfig.origins */
export type ConfigPlaces = { readonly file: string | null; readonly origins: Readonly<Record<string, string>> }

/** The result of a reload, for the log, the metric and the admin API. */
export type ReloadReport =
  | {
      readonly result: 'ok' | 'unchanged'
      readonly warnings: readonly string[]
      readonly kept: readonly string[]
      readonly sources?: ConfigPlaces
    }
  | { readonly result: 'rejected'; readonly reason: string }

/** The result of a download of the price list. */
export type PriceReport =
  | { readonly result: 'refreshed' | 'unchanged' }
  | { readonly result: 'rejected'; readonly reason: string }

/** `url`: where it listens; `engine`: name and version of the build. */
export type StartFacts = {
  readonly url: string
  readonly version: string
  readonly engine: string
  /** Where the admin API listens; absent where it is off. */
  readonly admin?: string
}

type Voice = {
  readonly log: Pick<Log, 'info' | 'warn'>
  readonly metrics: Pick<LoopMetrics, 'configReload' | 'listenerPaused'>
}

/** The first line of a process: programs read the address there. Warnings of the configuration follow. */
export function announceStart({ config, log }: { config: Config; log: Voice['log'] }, facts: StartFacts): void {
  const { server, providers, models, warnings, simulator } = config
  const names = { providers: providers.map(({ name }) => name), models: models.map(({ name }) => name) }
  log.info({ ...facts, threads: server.threads, ...names }, 'listening')
  announceWarnings(warnings, log)
  // With gateway keys, others are meant to use it, and hardly with a simulator.
  if (simulator === 'stand-in' && needsKeys(config)) log.warn({}, 'no provider configured, built-in simulator in use')
}

/** One line per reload, and one for options that need a restart. */
export function announceReload(report: ReloadReport, { log, metrics }: Voice): void {
  metrics.configReload(report.result)
  if (report.result === 'rejected') {
    log.warn({ reason: report.reason }, 'configuration reload rejected')
    return
  }
  const { result, warnings, kept } = report
  if (kept.length > 0) log.warn({ options: kept }, 'restart required for changed options')
  log.info({}, result === 'ok' ? 'configuration reloaded' : 'configuration unchanged')
  announceWarnings(warnings, log)
}

/** One line for each download that brought something, or failed. */
export function announcePrices(report: PriceReport, log: Voice['log']): void {
  if (report.result === 'refreshed') log.info({}, 'price list refreshed')
  if (report.result === 'rejected') log.warn({ reason: report.reason }, 'price list not refreshed')
}

function announceWarnings(warnings: readonly string[], log: Voice['log']): void {
  if (warnings.length > 0) log.warn({ warnings }, 'configuration warnings')
}

/** Reservations of budgets cannot be written down, or can be again. */
export function announceJournal(state: JournalState, log: Log): void {
  if (state === 'ok') log.info({}, 'budget journal available')
  else log.warn({ reason: state }, 'budget journal unavailable')
}

/** File descriptors run out, or there are some again. */
export function announceAccepting(isAccepting: boolean, descriptors: object, { log, metrics }: Voice): void {
  metrics.listenerPaused(!isAccepting)
  if (isAccepting) log.info(descriptors, 'listeners resumed')
  else log.warn(descriptors, 'listeners paused: file descriptors low')
}
