// What the admin API shows of the configuration: where its values are from, and what the last reload changed.
import { isDeepStrictEqual } from 'node:util'
import { type ConfigChange, type ConfigReport, type LastReload } from '../../admin/context.js'
import { maskConfig } from '../../config/check.js'
import { type Config } from '../../config/types.js'
import { isJsonObject, type JsonObject } from '../../model/json.js'
import { type ConfigPlaces, type ReloadReport } from '../announce.js'

/** More changes at once are another configuration; the first ones say that. */
const MAX_CHANGES = 200
/** A value that is not the same, but is masked in the same way. */
const CHANGED_SECRET = '******** (changed)'

export class ConfigHistory {
  readonly #nowMs: () => number
  readonly #startedAtMs: number
  #config: Config
  #places: ConfigPlaces = { file: null, origins: {} }
  #reload: LastReload | null = null

  /** `nowMs`: Unix time. */
  constructor(config: Config, nowMs: () => number) {
    this.#config = config
    this.#nowMs = nowMs
    this.#startedAtMs = nowMs()
  }

  placed(places: ConfigPlaces): void {
    this.#places = places
  }

  /** `config`: the one that runs now. */
  reloaded(report: ReloadReport, config: Config): void {
    const isRejected = report.result === 'rejected'
    const changes = isRejected ? [] : changesOf(this.#config, config)
    this.#reload = {
      atMs: this.#nowMs(),
      result: report.result,
      reason: isRejected ? report.reason : null,
      kept: isRejected ? [] : report.kept,
      changes,
    }
    this.#config = config
    if (!isRejected && report.sources !== undefined) this.#places = report.sources
  }

  report(config: Config): ConfigReport {
    const { file, origins } = this.#places
    const shown = shownConfig(config)
    return {
      config: shown,
      ...{ origins, file, warnings: config.warnings, startedAtMs: this.#startedAtMs, reload: this.#reload },
    }
  }
}

function shownConfig(config: Config): JsonObject {
  return JSON.parse(JSON.stringify(maskConfig(config))) as JsonObject
}

/** What differs, down to single values; of a secret only that it does. */
function changesOf(before: Config, after: Config): ConfigChange[] {
  const changes: ConfigChange[] = []
  compare([], shownConfig(before), shownConfig(after), changes)
  if (changes.length === 0 && !isDeepStrictEqual(before, after)) {
    changes.push({ path: '(a secret)', before: CHANGED_SECRET, after: CHANGED_SECRET })
  }
  return changes
}

function compare(path: readonly string[], before: unknown, after: unknown, changes: ConfigChange[]): void {
  if (isDeepStrictEqual(before, after) || changes.length >= MAX_CHANGES) return
  if (isJsonObject(before) && isJsonObject(after)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
      compare([...path, name], before[name], after[name], changes)
    }
    return
  }
  changes.push({ path: path.join('.'), before: before ?? null, after: after ?? null })
}
