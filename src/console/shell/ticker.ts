// Asks for something again and again while its screen is shown and the page can be seen. One question at a time, so that a gateway that
// is slow is not asked faster than it answers.
import { ApiError } from '../api.js'

export type TickerOptions = {
  readonly everyMs: number
  /** @throws ApiError */
  readonly tick: (signal: AbortSignal) => Promise<void>
  readonly tellTrouble: (trouble: string | null) => void
}

const UNAUTHENTICATED = 401

/** Begins at once; returns how to stop it, and how to ask now. */
export function startTicker({ everyMs, tick, tellTrouble }: TickerOptions): { stop(): void; now(): void } {
  const ended = new AbortController()
  let timer: ReturnType<typeof setTimeout> | null = null
  let isAsking = false
  const run = async (): Promise<void> => {
    if (isAsking || ended.signal.aborted) return
    if (timer !== null) clearTimeout(timer)
    timer = null
    isAsking = true
    if (!document.hidden) {
      try {
        await tick(ended.signal)
        tellTrouble(null)
      } catch (thrown) {
        if (ended.signal.aborted) return
        if (!(thrown instanceof ApiError)) throw thrown
        if (thrown.status !== UNAUTHENTICATED) tellTrouble(thrown.message)
      }
    }
    isAsking = false
    if (!ended.signal.aborted) timer = setTimeout(() => void run(), everyMs)
  }
  const onSeen = (): void => void (document.hidden || run())
  document.addEventListener('visibilitychange', onSeen)
  void run()
  return {
    stop() {
      ended.abort()
      if (timer !== null) clearTimeout(timer)
      document.removeEventListener('visibilitychange', onSeen)
    },
    now: () => void run(),
  }
}
