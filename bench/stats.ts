// Median and spread of a handful of samples, and CPU time of a process tree.
import { readdirSync, readFileSync } from 'node:fs'

/** Linux counts process time in ticks of 1/100 s (sysconf _SC_CLK_TCK on every mainstream kernel). */
const MS_PER_TICK = 10

export type Spread = { readonly median: number; readonly min: number; readonly max: number }

/** What the stream generator prints. Here, because importing a type from a program would run the program. */
export type StreamReport = {
  readonly streams: number
  readonly failed: number
  readonly events: number
  readonly bytes: number
  readonly seconds: number
  readonly firstMs: { readonly p50: number; readonly p99: number }
  readonly gapMs: { readonly p50: number; readonly p99: number }
  readonly hashes: readonly string[]
}

export function spread(samples: readonly number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b)
  return { median: quantile(sorted, 0.5), min: sorted[0] ?? 0, max: sorted[sorted.length - 1] ?? 0 }
}

/** `sorted` ascending. */
export function quantile(sorted: readonly number[], q: number): number {
  if (sorted.length === 0) return 0
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0
}

/** User and system time of a process, all its threads, and its living children, in milliseconds. */
export function cpuMs(pid: number): number {
  let ticks = 0
  for (const each of [pid, ...childrenOf(pid)]) {
    const fields = statOf(each)
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0)
  }
  return ticks * MS_PER_TICK
}

/** Resident memory of a process in bytes. */
export function rssBytes(pid: number): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(line?.[1] ?? 0) * 1024
}

/** Fields after the parenthesised command: state is 0, utime 11, stime 12 (proc(5)). */
function statOf(pid: number): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(statOf(Number(name))[1]) === pid)
    .map(Number)
}
