// The signals of a process: the first SIGTERM or SIGINT drains it, the second ends open requests, the third exits. The signals of
// log rotation only reopen the log.

import { type EventEmitter } from 'node:events'
import { constants } from 'node:os'

export type StopSignal = 'SIGTERM' | 'SIGINT'

export type StopActions = {
  /** With the first signal. */
  readonly stop: (signal: StopSignal) => void
  /** With the second one. */
  readonly end: (signal: StopSignal) => void
  /** With each further one. */
  readonly kill: (signal: StopSignal) => void
}

/** Obeys from now on; to be called before anything that takes time, or an early signal would end the process as a failure. */
export function obeyStopSignals(actions: StopActions, source: EventEmitter = process): void {
  let count = 0
  const onSignal = (signal: StopSignal): void => {
    count += 1
    if (count === 1) actions.stop(signal)
    else if (count === 2) actions.end(signal)
    else actions.kill(signal)
  }
  source.on('SIGTERM', onSignal)
  source.on('SIGINT', onSignal)
}

/**
 * Opens the log file anew with each SIGUSR1 and SIGUSR2, as log rotation asks for it. Without a listener the one would open
 * Node's inspector, through which anyone on this machine may take over the process, and the other would end it.
 */
export function obeyLogSignals(reopen: () => void, source: EventEmitter = process): void {
  source.on('SIGUSR1', reopen)
  source.on('SIGUSR2', reopen)
}

/** The exit code that shells give a process which a signal ended: 130 for SIGINT, 143 for SIGTERM. */
export function exitCodeOf(signal: StopSignal): number {
  return SIGNAL_EXIT_BASE + constants.signals[signal]
}

const SIGNAL_EXIT_BASE = 128

/**
 * Ends this process by the signal's own default, which waits for no thread. As process 1 of a container it has none, and an
 * exit has to do, which waits for threads.
 */
export function dieOf(signal: StopSignal): void {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
  process.exit(exitCodeOf(signal))
}
