// Time that stands still until it is moved.
import { type Timers } from '../../src/jobs/run/timers.js'

export type FakeTimers = Timers & {
  /** Moves time, and runs what falls due, in order. */
  advance(ms: number): void
  /** When the timers that wait fall due, from now. */
  pending(): number[]
}

export function createFakeTimers(): FakeTimers {
  let nowMs = 0
  const waiting = new Set<{ readonly atMs: number; readonly act: () => void }>()
  const nextDue = (untilMs: number) =>
    [...waiting].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0]
  return {
    nowMs: () => nowMs,
    after(delayMs, act) {
      const entry = { atMs: nowMs + delayMs, act }
      waiting.add(entry)
      return () => waiting.delete(entry)
    },
    advance(ms) {
      const untilMs = nowMs + ms
      for (let due = nextDue(untilMs); due !== undefined; due = nextDue(untilMs)) {
        waiting.delete(due)
        nowMs = Math.max(nowMs, due.atMs)
        due.act()
      }
      nowMs = untilMs
    },
    pending: () => [...waiting].map(({ atMs }) => atMs - nowMs).sort((a, b) => a - b),
  }
}
