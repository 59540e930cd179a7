// From the command line's options to a process that serves: configuration, cells, event loops; and from there to its end.
// It ends nothing itself: main.ts alone ends the process.
import { renderDrainLine, renderStartLine } from '../config/banner.js'
import { discoverLocal, withProviders } from '../config/discover.js'
import { type Overrides } from '../config/load.js'
import { simulatorProvider } from '../config/providers.js'
import { getLocal, readCatalog, readConfig, readVersion } from '../config/read.js'
import { type Config } from '../config/types.js'
import { createCells, createGateway } from '../gateway.js'
import { loadEngine } from '../server/engine.js'
import { BUILT_IN_TOKENS_PER_SEC } from '../simulator/command.js'
import { createSimulator } from '../simulator/simulator.js'
import { Supervisor } from '../threads/supervisor.js'

const FRONTEND_URL = new URL('../../workers/frontend.js', import.meta.url)
/** A drain that takes longer than this is explained: without a word it looks like a process that hangs. */
const DRAIN_NOTICE_MS = 300
/** Past the deadline: a moment for last words, and then whatever still holds the drain up (a stuck loop, a full pipe) is left. */
const EXIT_SLACK_MS = 1500

export type LaunchOptions = {
  readonly overrides: Overrides
  /** A line for people, on standard output. */
  readonly print: (line: string) => void
  /** The same on standard error. */
  readonly warn: (line: string) => void
  /** An event loop died; nothing can be saved. */
  readonly onLoopDied: (reason: string) => void
}

/** A gateway that listens on all its event loops. */
export type Launched = {
  /** Resolves when all is drained, at the latest a moment after `server.drainMs`. `hasGrace`: new work is served for a while. */
  drain(hasGrace: boolean): Promise<void>
}

/**
 * Starts everything; resolves when it listens.
 * @throws misconfigured when the configuration is wrong or the port cannot be had
 */
export async function launch({ overrides, print, warn, onLoopDied }: LaunchOptions): Promise<Launched> {
  const config = await effectiveConfig(overrides)
  const { build } = loadEngine()
  const cells = createCells(config)
  const supervisor = new Supervisor({
    ...{ config, cells, createLoop: createGateway },
    ...{ frontendUrl: FRONTEND_URL, onLoopDied },
  })
  const port = await supervisor.start()
  for (const warning of config.warnings) warn(`warning: ${warning}`)
  print(renderStartLine(config, { port, version: readVersion(), build }))
  return {
    async drain(hasGrace) {
      const { drainMs, drainGraceMs } = config.server
      setTimeout(() => warn(renderDrainLine(drainMs)), DRAIN_NOTICE_MS)
      await Promise.race([supervisor.drain(hasGrace ? drainGraceMs : 0), pause(drainMs + EXIT_SLACK_MS)])
    },
  }
}

/** The configuration with what was found on this machine; the built-in simulator serves where there is nothing else. */
async function effectiveConfig(overrides: Overrides): Promise<Config> {
  const catalog = readCatalog()
  const loaded = readConfig(overrides, catalog)
  const config = withProviders(loaded.config, await discoverLocal(catalog, loaded, getLocal))
  if (!config.simulator) return config
  const port = await createSimulator({ uws: loadEngine().uws, tokensPerSecond: BUILT_IN_TOKENS_PER_SEC }).listen(0)
  return withProviders(config, [simulatorProvider(catalog, `http://127.0.0.1:${port}`, loaded.providerDefaults)])
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
