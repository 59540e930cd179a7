// What tests of kept streams in Redis need: stores on one Redis, streams that hold their frames in memory, and readers that note
// what they get.
import { NO_USAGE } from '../../src/model/usage.js'
import { type AttachOptions } from '../../src/streams/kept/readable-log.js'
import { type FrameReader, type StreamEnd } from '../../src/streams/reader.js'
import { StreamStore, type StreamStoreOptions } from '../../src/streams/redis/stream-store.js'
import { type FrameSource, type StreamWriter } from '../../src/streams/redis/stream-writer.js'
import { type Teardown } from './gateway.js'

const PATIENCE_MS = 20_000

export const OWNER = 'owner-digest'
export const COMPLETE: StreamEnd = { outcome: 'complete', error: null, usage: NO_USAGE, usageSource: 'provider' }

/** Resolves when it is so. */
export async function until(isSo: () => unknown): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS
  while (!isSo()) {
    if (performance.now() > deadlineMs) throw new Error(`never: ${isSo}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

export type StoreNotes = {
  readonly store: StreamStore
  readonly states: boolean[]
  readonly refusals: (string | null)[]
}

/** A store that is connected. `isAlone`: Redis is not there. */
export async function openStore(
  t: Teardown,
  url: string,
  { isAlone = false, ...options }: Partial<StreamStoreOptions> & { readonly isAlone?: boolean } = {},
): Promise<StoreNotes> {
  const states: boolean[] = []
  const refusals: (string | null)[] = []
  const store = new StreamStore({
    url,
    onState: (isUp) => states.push(isUp),
    onCall: () => undefined,
    onRefusal: (reason) => refusals.push(reason),
    nowMs: () => performance.now(),
    keepaliveMs: () => 15_000,
    movable: (reader) => reader,
    ...options,
  })
  t.teardown(() => store.close())
  await store.start()
  // A busy machine may take longer than a start waits.
  if (!isAlone) await until(() => store.isUp)
  return { store, states, refusals }
}

/** A stream in memory and its writer. */
export class WrittenStream implements FrameSource {
  readonly id: string
  readonly writer: StreamWriter
  readonly frames: Uint8Array[] = []
  readonly events: string[] = []
  first = 0

  constructor(store: StreamStore, id: string, keepMs = 60_000) {
    this.id = id
    this.writer = store.write({
      facts: { id, owner: OWNER },
      source: this,
      keepMs,
      onRemoteReaders: (areThere) => this.events.push(areThere ? 'attached' : 'left'),
      onCancel: () => this.events.push('cancel'),
      onOver: (result) => this.events.push(result),
    })
  }

  get next(): number {
    return this.frames.length
  }

  frame(number: number): Uint8Array | null {
    return number < this.first ? null : (this.frames[number] ?? null)
  }

  say(frame: string | Uint8Array): void {
    const bytes = typeof frame === 'string' ? Buffer.from(frame) : frame
    this.frames.push(bytes)
    this.writer.appended(bytes.length)
  }
}

/** A client of a reader, as a sink is: reads whenever there is something. */
export class Follower {
  readonly reader: FrameReader
  readonly got: string[] = []
  end: StreamEnd | null = null
  /** Reads only when told. */
  isPaused = false

  constructor(log: { attach(options: AttachOptions): FrameReader }, offset = 0, canReturn = false) {
    this.reader = log.attach({ how: 'resume', offset, canReturn, onReadable: () => this.pull() })
  }

  pull(): void {
    if (this.isPaused) return
    for (let frame = this.reader.read(); frame !== null; frame = this.reader.read()) {
      this.got.push(Buffer.from(frame).toString('latin1'))
    }
    this.end = this.reader.end()
  }
}
