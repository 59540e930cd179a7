// Median and spread of a handful of samples; CPU time and memory of a process with its children.
import { readdirSync, readFileSync } from 'node:fs'

const NS_PER_MS = 1e6

export type Spread = { readonly median: number; readonly min: number; readonly max: number }

/** What the stream generator is asked. Here, because importing a type from a program would run the program. */
export type StreamJob = {
  readonly origin: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Stands once in each event. */
  readonly marker: string
  readonly contentMarker: string
  /** A stream that has fewer events, or not this near its end, has failed. */
  readonly minEvents: number
  readonly end: string
  readonly streams: number
  readonly concurrency: number
  /** The first streams begin evenly over this time, so that all are at different places; 0: at once. */
  readonly rampMs: number
  /** Check each body against the others; costs CPU of the generator. */
  readonly hash: boolean
}

/** What the stream generator prints. */
export type StreamReport = {
  readonly streams: number
  readonly failed: number
  readonly events: number
  readonly seconds: number
  /** To the first content. */
  readonly firstMs: { readonly p50: number; readonly p99: number }
  readonly gapMs: { readonly p50: number; readonly p99: number }
  /** Of whole bodies, without what a provider makes anew for each answer. */
  readonly hashes: readonly string[]
}

/** What the WebSocket generator is asked: more idle sockets, or chats on those that are open. `request`: a chat body as JSON. */
export type WsCommand =
  | { readonly open: number; readonly url: string; readonly headers: Readonly<Record<string, string>> }
  | { readonly chats: number; readonly request: string }

export type WsReport = {
  /** Open in all. */
  readonly sockets: number
  readonly chats: number
  readonly failed: number
  readonly events: number
}

/** What the generator of held streams is asked: more streams, or to watch those that read. `isStalled`: read no further. */
export type HeldCommand =
  | {
      readonly open: number
      readonly isStalled?: boolean
      readonly request: Pick<StreamJob, 'origin' | 'path' | 'headers' | 'body' | 'marker'>
    }
  | { readonly watchMs: number }

/** What the front that speaks TLS prints of its connections. */
export type FrontReport = {
  readonly open: number
  /** Since its start, and how many of them resumed a TLS session. */
  readonly made: number
  readonly resumed: number
}

export type HeldReport = {
  readonly held: number
  /** Ended or cut since the start. */
  readonly over: number
  /** Seen while watching. */
  readonly gaps: number
  readonly gapMs: { readonly p50: number; readonly p99: number }
}

/** What a contender's event loop and collector did since the last report. */
export type TurnReport = {
  /** How late a timer was: about the length of the turns that it met. */
  readonly lateMs: { readonly p50: number; readonly p99: number; readonly max: number }
  readonly gcMsPerSec: number
}

/** What the generator of aborts is asked. */
export type AbortCommand = {
  readonly origin: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** With `@` where a request's number goes. */
  readonly body: string
  readonly perSec: number
  readonly seconds: number
}

export type AbortReport = {
  readonly aborted: number
  /** Never began. */
  readonly failed: number
  /** What those got instead, if anything. */
  readonly otherAnswer: string
  /** Aborted, and not closed at the upstream a second later. */
  readonly unclosed: number
  /** From a client's close to the upstream's. */
  readonly closedMs: { readonly p50: number; readonly p99: number; readonly max: number }
}

/** Median, least and most; zeros for none. */
export function spread(samples: readonly number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b)
  const middle = [sorted[(sorted.length - 1) >> 1] ?? 0, sorted[sorted.length >> 1] ?? 0] as const
  return { median: (middle[0] + middle[1]) / 2, min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0 }
}

/** A quantile of sorted numbers; 0 for none. */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0
}

/** User and system time of all living threads of a process and of its living children, in milliseconds. */
export function cpuMs(pid: number): number {
  return sum([pid, ...childrenOf(pid)].flatMap((each) => threadsOf(each).map((thread) => threadMs(each, thread))))
}

/** The same of a process's first thread alone, which for Node runs the first event loop. */
export function firstThreadCpuMs(pid: number): number {
  return threadMs(pid, pid)
}

/** Resident memory of a process and its living children, in bytes. */
export function rssBytes(pid: number): number {
  return sum([pid, ...childrenOf(pid)].map(ownRssBytes))
}

/** Least of a few looks at resident memory, 100 ms apart: what comes and goes between two collections is left out. */
export async function settledRssBytes(pid: number, looks = 20): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let look = 0; look < looks; look++) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    least = Math.min(least, rssBytes(pid))
  }
  return least
}

function ownRssBytes(pid: number): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(read(`/proc/${pid}/status`))
  return Number(line?.[1] ?? 0) * 1024
}

/** In nanoseconds by the scheduler, where the times of stat(5) come in steps of 10 ms. */
function threadMs(pid: number, thread: number): number {
  return Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0] ?? 0) / NS_PER_MS
}

function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number)
  } catch {
    return []
  }
}

/** The second field after the parenthesised command (proc(5)). */
function parentOf(pid: string): number {
  const text = read(`/proc/${pid}/stat`)
  return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1])
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === pid)
    .map(Number)
}

/** Empty for a process that has just ended. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
