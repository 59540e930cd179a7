// Kept streams for tests: with room as they need it, and time that is moved by hand.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { errorData } from '../../src/errors.js'
import { NO_USAGE } from '../../src/model/usage.js'
import { type KeptOptions, KeptStream } from '../../src/streams/kept/kept-stream.js'
import { type KeptFacts, type ReaderHow } from '../../src/streams/kept/readable-log.js'
import {
  type KeptCounters,
  KeptStreams,
  type KeptStreamsOptions,
  type OpenOptions,
  type ReaderResult,
} from '../../src/streams/kept/registry.js'
import { type FrameReader, type StreamEnd } from '../../src/streams/reader.js'
import { createFakeTimers } from './fake-timers.js'

export const COMPLETE: StreamEnd = { outcome: 'complete', error: null, usage: NO_USAGE, usageSource: 'provider' }
export const CUT: StreamEnd = { ...COMPLETE, outcome: 'upstream_cut', error: errorData('upstream_cut') }

export const FACTS: Omit<KeptFacts, 'id'> = {
  owner: 'owner-1',
  surfaceId: 'chat',
  requestId: 'req-1',
  framing: 'sse',
  contentType: 'text/event-stream',
  headers: [],
}

/** One frame of server-sent events. */
export function frame(text: string): Buffer {
  return Buffer.from(`data: ${text}\n\n`)
}

/** What of a kept stream happened. */
export type Kept = {
  readonly stream: KeptStream
  readonly timers: ReturnType<typeof createFakeTimers>
  readonly events: string[]
}

/** A stream alone. `roomBytes`: what it may claim. */
export function createKept({
  roomBytes = Number.POSITIVE_INFINITY,
  framing = 'sse',
  ...options
}: Partial<KeptOptions> & { readonly roomBytes?: number; readonly framing?: 'sse' | 'ndjson' } = {}): Kept {
  const timers = createFakeTimers()
  const events: string[] = []
  const stream = new KeptStream(
    { id: 'str_test', ...FACTS, framing },
    {
      graceMs: 1000,
      maxStreamBytes: 1024 * 1024,
      maxLagBytes: 256 * 1024,
      room: { claim: (bytes) => bytes <= roomBytes, shrink: (bytes) => void events.push(`shrink ${bytes}`) },
      timers,
      movable: (_stream, reader) => reader,
      onAbandoned: () => void events.push('abandoned'),
      onEnded: () => void events.push('ended'),
      onCancelled: () => void events.push('cancelled'),
      ...options,
    },
  )
  return { stream, timers, events }
}

/** A budget without keys: one number of bytes for all. */
export class FakeBudget {
  heldBytes = 0
  maxBytes: number
  /** Whose limit it is that refuses. */
  scope: 'gateway' | 'key' = 'gateway'

  constructor(maxBytes = Number.POSITIVE_INFINITY) {
    this.maxBytes = maxBytes
  }

  open(): OpenOptions['budget'] {
    let own = 0
    const take = (bytes: number): void => {
      this.heldBytes += bytes - own
      own = bytes
    }
    return {
      claim: (bytes) => {
        if (bytes <= own) return null
        if (this.heldBytes + bytes - own > this.maxBytes) return this.scope
        take(bytes)
        return null
      },
      shrink: (bytes) => {
        if (bytes < own) take(bytes)
      },
      release: () => take(0),
    }
  }
}

export class FakeCounters implements KeptCounters {
  kept = 0
  readonly notKept: string[] = []
  readonly readers: string[] = []
  keptStreams(change: 1 | -1): void {
    this.kept += change
  }
  streamNotKept(scope: string): void {
    this.notKept.push(scope)
  }
  streamReader(how: ReaderHow, result: ReaderResult): void {
    this.readers.push(`${how} ${result}`)
  }
}

/** A registry with time that is moved by hand. */
export function createKeptStreams({
  maxBytes,
  loopIndex = 0,
  connectLoop = async () => null,
}: { maxBytes?: number; loopIndex?: number } & Pick<KeptStreamsOptions, 'connectLoop'> = {}) {
  const timers = createFakeTimers()
  const counters = new FakeCounters()
  const budget = new FakeBudget(maxBytes)
  const streams = new KeptStreams({ loopIndex, timers, counters, connectLoop })
  const abandoned: string[] = []
  const open = (facts: Partial<Omit<KeptFacts, 'id'>> = {}, options: Partial<OpenOptions> = {}): KeptStream | null =>
    streams.open(
      { ...FACTS, ...facts },
      {
        graceMs: 1000,
        keepMs: 5000,
        maxStreamBytes: 1024 * 1024,
        maxLagBytes: 256 * 1024,
        budget: budget.open(),
        onAbandoned: () => void abandoned.push(facts.requestId ?? FACTS.requestId),
        ...options,
      },
    )
  return { streams, timers, counters, budget, open, abandoned }
}

/** All that a reader has now. */
export function readAll(reader: FrameReader): string[] {
  const read: string[] = []
  for (let next = reader.read(); next !== null; next = reader.read()) read.push(Buffer.from(next).toString())
  return read
}

/** Resolves after all that is due in this turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}

/** Ports between loops keep no process alive; a test that waits for them does. */
export function stayAlive(t: { teardown(act: () => void): void }): void {
  const timer = setInterval(() => undefined, 1000)
  t.teardown(() => clearInterval(timer))
}

/** Collects everything that nothing holds. */
export function collectAll(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
}

/** Memory of this process that is in use, after all that is not has been collected. */
export function usedBytes(): number {
  collectAll()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
