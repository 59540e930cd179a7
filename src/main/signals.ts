// The signals of a process: the first SIGTERM or SIGINT drains it, the second ends open requests, the third exits. The signals of
// log rotation only reopen the log.

import { type EventEmitter } from 'node:events'
import { constants } from 'node:os'

export type StopSignal = 'SIGTERM' | 'SIGINT'

export type StopActions = {
  /** At the first signal. */
  readonly stop: (signal: StopSignal) => void
  /** At the second one. */
  readonly end: (signal: StopSignal) => void
  /** At each further one. */
  readonly kill: (signal: StopSignal) => void
}

/** Handles stop signals from now on. Call it before anything slow, or an early signal would end the process as a failure. */
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
 * Reopens the log file at each SIGUSR1 and SIGUSR2, the signals of log rotation. Without a listener, SIGUSR1 would open Node's
 * inspector, through which anyone on this machine could take over the process, and SIGUSR2 would end it.
 */
export function obeyLogSignals(reopen: () => void, source: EventEmitter = process): void {
  source.on('SIGUSR1', reopen)
  source.on('SIGUSR2', reopen)
}

/** The exit code that shells report for a process ended by a signal: 130 for SIGINT, 143 for SIGTERM. */
export function exitCodeOf(signal: StopSignal): number {
  return SIGNAL_EXIT_BASE + constants.signals[signal]
}

const SIGNAL_EXIT_BASE = 128

/**
 * Ends this process by the signal's default action, which waits for no thread. Process 1 of a container has no default action; there,
 * process.exit ends it, which waits for threads.
 */
export function dieOf(signal: StopSignal): void {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
  process.exit(exitCodeOf(signal))
}
