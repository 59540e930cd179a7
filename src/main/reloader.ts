// Applies a new configuration to a running process: reads and validates all of it, keeps the options that need a restart, passes it
// to all event loops, and reports it in one log line and a metric. If anything is wrong with it, the old one stays.
import { planReload } from '../config/live/reload.js'
import { continueLedger, type SlotTable } from '../config/live/slot-table.js'
import { type Config } from '../config/types.js'
import { GatewayError, toGatewayError } from '../errors.js'
import { type ReloadReport } from '../gateway/announce.js'

/** A configuration as it was read. */
export type ReadConfig = {
  readonly config: Config
  /** Its source files, to be watched. */
  readonly files: readonly string[]
  readonly configFile: string | null
  readonly isBlank: boolean
  /** @see LoadedConfig.origins */
  readonly origins?: Readonly<Record<string, string>>
}

export type ReloaderOptions = {
  /** @throws misconfigured */
  readonly read: () => Promise<ReadConfig>
  /** The configuration that the process started with, from `read`. */
  readonly first: ReadConfig
  readonly ledger: SlotTable
  /** Makes sure that the names of its keys are free in the account database. @throws misconfigured, with nothing changed */
  readonly reserve: (config: Config) => Promise<void>
  readonly supervisor: { reload(config: Config, ledger: SlotTable): Promise<void> }
  readonly tell: (report: ReloadReport) => void
}

/** The configuration of a process and its reloads. */
export class Reloader {
  readonly #options: ReloaderOptions
  readonly #hadFile: boolean
  #config: Config
  #ledger: SlotTable
  #isRunning = false
  #isAsked = false

  constructor(options: ReloaderOptions) {
    const { config, configFile } = options.first
    this.#options = options
    this.#hadFile = configFile !== null
    this.#config = config
    this.#ledger = options.ledger
  }

  /** The running configuration. */
  get config(): Config {
    return this.#config
  }

  /** Reloads soon. Any number of requests during a reload cause one more reload after it. */
  request(): void {
    this.#isAsked = true
    if (!this.#isRunning) void this.#run()
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    while (this.#isAsked) {
      this.#isAsked = false
      this.#options.tell(await this.#reload().catch(refusal))
    }
    this.#isRunning = false
  }

  async #reload(): Promise<ReloadReport> {
    const read = await this.#options.read()
    this.#refuseVoid(read)
    const { config, kept, isUnchanged } = planReload(this.#config, read.config)
    const { warnings } = config
    const sources = { file: read.configFile, origins: read.origins ?? {} }
    if (isUnchanged) return { result: 'unchanged', warnings, kept, sources }
    await this.#options.reserve(config)
    const ledger = continueLedger(this.#ledger, config)
    await this.#options.supervisor.reload(config, ledger)
    this.#config = config
    this.#ledger = ledger
    return { result: 'ok', warnings, kept, sources }
  }

  /** Rejects a missing or empty file: it is probably being rewritten, and would remove every key and every provider. */
  #refuseVoid({ configFile, isBlank }: ReadConfig): void {
    if (this.#hadFile && configFile === null) {
      throw new GatewayError('misconfigured', { message: 'the configuration file is gone' })
    }
    if (isBlank) throw new GatewayError('misconfigured', { message: 'the configuration file is empty' })
  }
}

function refusal(thrown: unknown): ReloadReport {
  return { result: 'rejected', reason: toGatewayError(thrown).message }
}
