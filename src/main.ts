#!/usr/bin/env node
// The process: runs the command of the command line and handles signals. Only this file ends the process.
// Each command loads only what it needs: a gateway is a thousand modules, which no other command should wait for.
import { parseCommandLine, type SimulateOptions } from './config/command-line.js'
import { type Overrides } from './config/load.js'
import { toGatewayError } from './errors.js'
import { dieOf, exitCodeOf, obeyLogSignals, obeyStopSignals } from './main/signals.js'

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function warn(line: string): void {
  process.stderr.write(`${line}\n`)
}

async function start(overrides: Overrides): Promise<void> {
  let isUp = false
  let exitCode = 0
  const launching = import('./main/launch.js').then(({ launch }) => {
    const isTerminal = process.stdout.isTTY === true
    return launch({ overrides, print, warn, isTerminal, onLoopDied: fail })
  })
  obeyStopSignals({
    // No grace during start, since no load balancer knows the process yet, nor after Ctrl-C, where none has to be waited for.
    stop: (signal) => {
      const hasGrace = isUp && signal !== 'SIGINT'
      launching.then((gateway) => gateway.drain(hasGrace)).then(() => process.exit(exitCode), fail)
    },
    end: (signal) => {
      if (!isUp) dieOf(signal)
      exitCode = exitCodeOf(signal)
      const ending = launching.then((gateway) => gateway.endNow())
      // process.exit would wait for open event loops, which never end by themselves.
      ending.then((isClosed) => (isClosed ? process.exit(exitCode) : dieOf(signal)), fail)
    },
    kill: dieOf,
  })
  obeyLogSignals(() => void launching.then((gateway) => gateway.reopenLogs(), fail))
  process.on('SIGHUP', () => void launching.then((gateway) => gateway.reload(), fail))
  await launching
  isUp = true
}

async function simulate({ port, protocol, tokensPerSecond, isUneven, faultsFile }: SimulateOptions): Promise<void> {
  const { loadEngine } = await import('./server/engine/engine.js')
  const { runSimulate, SIMULATE_PORT } = await import('./simulator/command.js')
  const { readGiven } = await import('./config/read.js')
  const faults = faultsFile === null ? null : readGiven('--faults', faultsFile)
  const args = { host: '127.0.0.1', port: port ?? SIMULATE_PORT, protocol, tokensPerSecond, isUneven, faults }
  if ((await runSimulate(args, loadEngine().uws, print)) === null) process.exit(1)
}

function fail(reason: unknown): never {
  warn(`sluice: ${typeof reason === 'string' ? reason : toGatewayError(reason).message}`)
  process.exit(1)
}

async function run(args: readonly string[]): Promise<void> {
  const command = parseCommandLine(args)
  if (command.kind === 'help') print((await import('./main/help-text.js')).HELP_TEXT)
  else if (command.kind === 'version') print((await import('./config/read.js')).readVersion())
  else if (command.kind === 'check') print((await import('./config/check.js')).checkConfig(command.overrides))
  else if (command.kind === 'simulate') await simulate(command.options)
  else if (command.kind === 'webhook-verify')
    print(await (await import('./jobs/webhook/command.js')).runWebhookVerify(command.options, process))
  else if (command.kind === 'import') {
    const { yaml, notes } = (await import('./config/import/litellm.js')).runImport(command.file)
    print(yaml.trimEnd())
    for (const note of notes) warn(note)
  } else if (command.kind === 'start') await start(command.overrides)
  else await (await import('./admin/command/admin-command.js')).runAdminCommand(command, print)
}

run(process.argv.slice(2)).catch(fail)
