// Starts a process from the options of the command line (configuration, cells, event loops) and drains it. Only main.ts
// ends the process.
import { type MessagePort } from 'node:worker_threads'
import { originOf, renderDrainLine, renderStartLine, startLineStream } from '../config/banner.js'
import { discoverLocal, type LocalGet, withProviders, withSimulator } from '../config/discover.js'
import { watchFiles } from '../config/live/watch.js'
import { type Overrides } from '../config/load.js'
import { filesOf, getLocal, readCatalog, readConfig, readVersion } from '../config/read.js'
import { startAccountsThread } from '../gateway/accounts/accounts-thread.js'
import { JobThread } from '../gateway/job-thread.js'
import { createCells } from '../gateway/loop.js'
import { drainLimits } from '../gateway/streams/shared-streams.js'
import { createGateway } from '../gateway.js'
import { workerEntry } from '../package-files.js'
import { loadEngine } from '../server/engine/engine.js'
import { BUILT_IN_TOKENS_PER_SEC } from '../simulator/command.js'
import { createSimulator, type Simulator } from '../simulator/simulator.js'
import { type StoreThread } from '../threads/messages.js'
import { Supervisor } from '../threads/supervisor.js'
import { PriceRefresher } from './price-refresher.js'
import { type ReadConfig, Reloader } from './reloader.js'

const FRONTEND_URL = workerEntry('frontend')
/** A drain that takes longer than this is announced; otherwise the process would seem to hang. */
const DRAIN_NOTICE_MS = 300
/** After the deadline: time for the last log lines. Whatever still delays the drain then (a stuck loop, a full pipe) is abandoned. */
const EXIT_SLACK_MS = 1500
/** An end without a drain: long enough to write log lines, short enough after a second Ctrl-C. */
const END_MS = 1000

export type LaunchOptions = {
  readonly overrides: Overrides
  /** Prints a line for people on standard output. */
  readonly print: (line: string) => void
  /** The same on standard error. */
  readonly warn: (line: string) => void
  /** Standard output is a terminal. */
  readonly isTerminal: boolean
  /** An event loop died; nothing can be saved. */
  readonly onLoopDied: (reason: string) => void
}

/** A gateway that listens on all its event loops. */
export type Launched = {
  /** Where it listens. */
  readonly url: string
  /** Reads the configuration again; for SIGHUP. Errors in it are logged. */
  reload(): void
  /** Reopens the log file at its path. */
  reopenLogs(): Promise<void>
  /** Resolves when everything is drained, or shortly after `server.drainMs` (`streams.drainMs` where other nodes serve streams). `hasGrace`: new work is served for `server.drainGraceMs`. */
  drain(hasGrace: boolean): Promise<void>
  /**
   * Ends everything open at once, each exchange with its log line, whether a drain is running or not. Resolves within a second, with
   * true if every event loop is closed and its log is written.
   */
  endNow(): Promise<boolean>
}

/**
 * Starts everything; resolves when it listens.
 * @throws misconfigured when the configuration is wrong or the port cannot be had
 */
export async function launch({ overrides, print, warn, isTerminal, onLoopDied }: LaunchOptions): Promise<Launched> {
  const { read, close: closeReader } = createConfigReader(overrides)
  const initial = await read()
  const { config, files } = initial
  const { build } = loadEngine()
  const cells = createCells(config)
  const heirs = config.keys.map(({ name, keySha256 }) => ({ name, owner: keySha256 }))
  const thread = new JobThread({ path: config.jobs.path, heirs, onTrouble: (message) => warn(`sluice: ${message}`) })
  const accounts = await startAccountsThread(config, cells, (message) => warn(`sluice: ${message}`))
  const first = createGateway(config, cells, {
    loopIndex: 0,
    connectStore: async (store) => (store === 'jobs' ? thread.connect() : accounts.connect()),
    connectLoop: async (loopIndex, purpose) => supervisor.connectLoop(loopIndex, purpose),
  })
  // Before the first request: a problem with jobs accepted earlier must be reported at start.
  if (config.jobs.store === 'redis' || thread.hasFile) await first.openJobs()
  const fault = config.jobs.store === 'redis' ? null : thread.fault
  if (fault !== null) first.tellJobStoreFault(fault)
  const connectStore = async (store: StoreThread): Promise<MessagePort> => {
    if (store === 'accounts') return accounts.connect()
    await first.openJobs()
    return thread.connect()
  }
  const loops = { createLoop: () => first, connectStore, frontendUrl: FRONTEND_URL, onLoopDied }
  const supervisor = new Supervisor({ config, cells, ...loops })
  const port = await supervisor.start()
  const faults = fault === null ? [] : [`${fault} Jobs and requests with an Idempotency-Key will be refused.`]
  for (const warning of [...config.warnings, ...faults]) warn(`warning: ${warning}`)
  const version = readVersion()
  const { configFile: file, origins = {} } = initial
  const url = originOf(config, port)
  first.tellStart({ url, version, engine: build }, { file, origins })
  const say = startLineStream(config, isTerminal) === 'stdout' ? print : warn
  say(renderStartLine(config, { port, version, build, adminUrl: first.adminUrl, isTerminal }))
  const tell = first.tellReload
  const reloader = new Reloader({
    read,
    reserve: accounts.reserve,
    first: initial,
    ledger: cells.ledger,
    supervisor,
    tell,
  })
  const refresher = new PriceRefresher({
    prices: () => reloader.config.prices,
    ...{ onRefreshed: () => reloader.request(), tell: first.tellPrices, nowMs: Date.now },
  })
  void refresher.start()
  const watch = watchFiles(files, () => reloader.request())
  return {
    url,
    reopenLogs: () => supervisor.reopenLogs(),
    reload() {
      void supervisor.reopenLogs()
      watch.note()
      reloader.request()
    },
    async drain(hasGrace) {
      watch.stop()
      refresher.stop()
      const { drainGraceMs } = reloader.config.server
      const limits = drainLimits(reloader.config)
      const notice = setTimeout(() => warn(renderDrainLine(limits)), DRAIN_NOTICE_MS)
      const drained = supervisor
        .drain(hasGrace ? drainGraceMs : 0)
        .then(() => Promise.all([thread.close(), accounts.close(), first.closeStores()]))
      await within(limits.sharedMs + EXIT_SLACK_MS, drained)
      clearTimeout(notice)
      closeReader()
    },
    async endNow() {
      return (await within(END_MS, supervisor.endNow())) !== LATE
    },
  }
}

type ConfigReader = {
  readonly read: () => Promise<ReadConfig>
  /** Ends the built-in simulator, if it serves. */
  readonly close: () => void
}

/**
 * Reads the configuration at start and at each reload. The result of looking for a local server is kept, so that one that is too busy to
 * answer later does not disappear. The built-in simulator serves if there is no other provider.
 */
function createConfigReader(overrides: Overrides): ConfigReader {
  const catalog = readCatalog()
  const found = new Map<string, Promise<string | null>>()
  let simulator: Simulator | null = null
  let simulatorPort: Promise<number> | null = null
  const startSimulator = (): Promise<number> => {
    simulator = createSimulator({ uws: loadEngine().uws, tokensPerSecond: BUILT_IN_TOKENS_PER_SEC })
    return simulator.listen(0)
  }
  const getOnce: LocalGet = (url, timeoutMs) => {
    const answer = found.get(url) ?? getLocal(url, timeoutMs)
    found.set(url, answer)
    return answer
  }
  async function read(): Promise<ReadConfig> {
    const loaded = readConfig(overrides, catalog)
    const { configFile, isBlank, providerDefaults, origins } = loaded
    const files = filesOf(loaded)
    const config = withProviders(loaded.config, await discoverLocal(catalog, loaded, getOnce))
    if (config.simulator === null) return { config, files, configFile, isBlank, origins }
    simulatorPort ??= startSimulator()
    const origin = `http://127.0.0.1:${await simulatorPort}`
    return { config: withSimulator(config, { catalog, origin, providerDefaults }), files, configFile, isBlank, origins }
  }
  return { read, close: () => simulator?.close() }
}

const LATE = Symbol('late')

/** What it resolves with, or LATE after so long. */
async function within<T>(ms: number, awaited: Promise<T>): Promise<T | typeof LATE> {
  let timer: NodeJS.Timeout | null = null
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(resolve, ms, LATE)
  })
  try {
    return await Promise.race([awaited, late])
  } finally {
    if (timer !== null) clearTimeout(timer)
  }
}
