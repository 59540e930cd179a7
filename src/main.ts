#!/usr/bin/env node
// The process: command line -> configuration -> supervisor -> signals. The only place that ends it.
import { readFileSync } from 'node:fs'
import { renderDrainLine, renderStartLine } from './config/banner.js'
import { renderConfig } from './config/check.js'
import { HELP_TEXT, parseCommandLine, type SimulateOptions } from './config/command-line.js'
import { discoverLocal, withProviders } from './config/discover.js'
import { type Overrides } from './config/load.js'
import { simulatorProvider } from './config/providers.js'
import { getLocal, readCatalog, readConfig, readVersion } from './config/read.js'
import { type Config } from './config/types.js'
import { toGatewayError } from './errors.js'
import { createCells, createGateway } from './gateway.js'
import { runWebhookVerify } from './jobs/webhook-command.js'
import { loadEngine } from './server/engine.js'
import { BUILT_IN_TOKENS_PER_SEC, runSimulate, SIMULATE_PORT } from './simulator/command.js'
import { createSimulator } from './simulator/simulator.js'
import { Supervisor } from './threads/supervisor.js'

const FRONTEND_URL = new URL('../workers/frontend.js', import.meta.url)
/** A drain that takes longer than this is explained: without a word it looks like a process that hangs. */
const DRAIN_NOTICE_MS = 300

function print(line: string): void {
  process.stdout.write(`${line}\n`)
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

async function start(overrides: Overrides): Promise<void> {
  const config = await effectiveConfig(overrides)
  const { build } = loadEngine()
  const loops = { createLoop: createGateway, frontendUrl: FRONTEND_URL, onLoopDied: fail }
  const supervisor = new Supervisor({ config, cells: createCells(config), ...loops })
  const port = await supervisor.start()
  for (const warning of config.warnings) process.stderr.write(`warning: ${warning}\n`)
  print(renderStartLine(config, { port, version: readVersion(), build }))
  let isDraining = false
  const onSignal = (): void => {
    // A second signal means: now. process.exit would wait for event loops that never end by themselves.
    if (isDraining) process.kill(process.pid, 'SIGKILL')
    isDraining = true
    setTimeout(() => process.stderr.write(`${renderDrainLine(config.server.drainMs)}\n`), DRAIN_NOTICE_MS)
    void supervisor.drain().then(() => process.exit(0), fail)
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
}

async function simulate(options: SimulateOptions): Promise<void> {
  const { protocol, tokensPerSecond, faultsFile } = options
  const faults = faultsFile === null ? null : readFileSync(faultsFile, 'utf8')
  const args = { host: '127.0.0.1', port: options.port ?? SIMULATE_PORT, protocol, tokensPerSecond, faults }
  if ((await runSimulate(args, loadEngine().uws, print)) === null) process.exit(1)
}

function fail(reason: unknown): never {
  process.stderr.write(`sluice: ${typeof reason === 'string' ? reason : toGatewayError(reason).message}\n`)
  process.exit(1)
}

async function run(args: readonly string[]): Promise<void> {
  const command = parseCommandLine(args)
  if (command.kind === 'help') print(HELP_TEXT)
  else if (command.kind === 'version') print(readVersion())
  else if (command.kind === 'check') print(renderConfig(readConfig(command.overrides, readCatalog()).config))
  else if (command.kind === 'simulate') await simulate(command.options)
  else if (command.kind === 'webhook-verify') print(await runWebhookVerify(command.options, process))
  else await start(command.overrides)
}

run(process.argv.slice(2)).catch(fail)
