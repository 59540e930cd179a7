// The signals of a process: the first SIGTERM or SIGINT asks it to end well, the second one ends it at once.
import { type EventEmitter } from 'node:events'

export type StopSignal = 'SIGTERM' | 'SIGINT'

export type StopActions = {
  /** Once, with the first signal. */
  readonly stop: (signal: StopSignal) => void
  /** With each further one. */
  readonly kill: () => void
}

/** Obeys from now on; to be called before anything that takes time, or an early signal would end the process as a failure. */
export function obeyStopSignals(actions: StopActions, source: EventEmitter = process): void {
  let isStopping = false
  const onSignal = (signal: StopSignal): void => {
    if (isStopping) actions.kill()
    else actions.stop(signal)
    isStopping = true
  }
  source.on('SIGTERM', onSignal)
  source.on('SIGINT', onSignal)
}
