// One request that runs, or has ended lately, as others see it that may be answered from it. Before it has begun they wait for it; it
// goes on as long as one of them waits, or for a grace if it was asked to. Once there is a stream, its readers and its grace decide.
//
//   no head: client and waiters --begin--> stream        (readers, grace, retention: the kept stream's)
//            '- nobody left: grace       --answer--> answer      --end--> gone
import { type StreamEnd } from '../reader.js'

/** The part of a kept stream that decides about those who join. */
export type JoinableStream = {
  readonly first: number
  readonly streamEnd: StreamEnd | null
  readonly readerCount: number
}

/** What came of a request. */
export type RunHead<Stream, Answer> =
  | {
      readonly kind: 'stream'
      /** Null as soon as the stream is no longer kept. */
      readonly find: () => Stream | null
      /** To be called by the one that gets this head when it reads, or will not; absent: nothing is held for it. */
      readonly release?: () => void
    }
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'gone' }

/** A run as those see it that may be answered from it, on this event loop or another one. */
export type JoinableRun<Stream, Answer> = {
  readonly requestId: string
  /** Null until its answer begins, and always on another loop. */
  readonly head: RunHead<Stream, Answer> | null
  /** As many wait for its head as may: each holds its own body meanwhile. */
  readonly isCrowded: boolean
  /** Calls `onHead` once, as soon as there is a head, unless the returned function is called before. */
  wait(onHead: (head: RunHead<Stream, Answer>) => void): () => void
  /** One more will read its stream. Returns what to call when it reads, or will not. */
  join(): () => void
  /** Whether the client that left last had all of the answer. */
  noteDelivered(isDelivered: boolean): void
}

export type RunOptions = {
  /** Of the request that runs. */
  readonly requestId: string
  /** How long it goes on before its head with nobody waiting; 0: it ends at once. */
  readonly graceMs: number
  /** A retry may be answered from it without more than an equal digest. */
  readonly mayBeRetried: boolean
  /** Equal requests may follow its stream while it runs. */
  readonly takesFollowers: boolean
  /** Runs `act` once after so long; returns how to call it off. */
  readonly startGrace: (delayMs: number, act: () => void) => () => void
  /** Nobody waits for it any more: it must be cancelled. */
  readonly onAbandoned: () => void
}

/** Of repetitions, which take no slot that would bound them. */
export const MAX_WAITERS = 16
const GONE = Object.freeze({ kind: 'gone' } as const)

export class SharedRun<Stream extends JoinableStream, Answer> implements JoinableRun<Stream, Answer> {
  /** Null once it has ended: what an entry of the index holds on to is small. */
  #options: RunOptions | null
  readonly requestId: string
  readonly mayBeRetried: boolean
  readonly takesFollowers: boolean
  readonly #waiters = new Set<(head: RunHead<Stream, Answer>) => void>()
  #head: RunHead<Stream, Answer> | null = null
  #hasClient = true
  /** Decided to join its stream, and not reading it yet. */
  #joining = 0
  #stopGrace: (() => void) | null = null
  #isDelivered = false
  #endedAtMs: number | null = null
  #isComplete = false

  constructor(options: RunOptions) {
    this.#options = options
    const { requestId, mayBeRetried, takesFollowers } = options
    this.requestId = requestId
    this.mayBeRetried = mayBeRetried
    this.takesFollowers = takesFollowers
  }

  /** The client that left last had all of the answer. */
  get isDelivered(): boolean {
    return this.#isDelivered
  }

  /** When it ended; null while it runs. */
  get endedAtMs(): number | null {
    return this.#endedAtMs
  }

  /** It ended with all of the answer. */
  get isComplete(): boolean {
    return this.#isComplete
  }

  /** Null until its answer begins. */
  get head(): RunHead<Stream, Answer> | null {
    return this.#head
  }

  get isCrowded(): boolean {
    return this.#waiters.size >= MAX_WAITERS
  }

  /** Clients that have or await its answer. */
  get clientCount(): number {
    const head = this.#head
    if (head === null) return (this.#hasClient ? 1 : 0) + this.#waiters.size
    const stream = head.kind === 'stream' ? head.find() : null
    return this.#joining + (stream?.readerCount ?? (this.#hasClient ? 1 : 0))
  }

  /** The answer can still be had from its first byte. */
  get holdsBeginning(): boolean {
    const head = this.#head
    if (head === null) return true
    return head.kind === 'answer' || (head.kind === 'stream' && head.find()?.first === 0)
  }

  /** Its client has left before its answer was whole. True: it goes on, for those who wait or for its grace. */
  clientLeft(): boolean {
    this.#hasClient = false
    if (this.#head !== null) return false
    if (this.#waiters.size > 0) return true
    return this.#startGrace()
  }

  noteDelivered(isDelivered: boolean): void {
    this.#isDelivered = isDelivered
  }

  wait(onHead: (head: RunHead<Stream, Answer>) => void): () => void {
    this.#stopGrace?.()
    this.#stopGrace = null
    this.#waiters.add(onHead)
    return () => {
      if (!this.#waiters.delete(onHead) || this.#head !== null) return
      if (this.#hasClient || this.#waiters.size > 0) return
      if (!this.#startGrace()) this.#options?.onAbandoned()
    }
  }

  join(): () => void {
    let isJoining = true
    this.#joining += 1
    return () => {
      if (isJoining) this.#joining -= 1
      isJoining = false
    }
  }

  /** Its answer has begun, or there will be none. Only the first head counts. */
  begin(head: RunHead<Stream, Answer>): void {
    if (this.#head !== null) return
    this.#head = head
    this.#stopGrace?.()
    this.#stopGrace = null
    const waiters = [...this.#waiters]
    this.#waiters.clear()
    for (const waiter of waiters) waiter(head)
  }

  /** It is over. Only the first end counts; without a head there was no answer. */
  end(endedAtMs: number, isComplete: boolean): void {
    if (this.#endedAtMs !== null) return
    this.begin(GONE)
    this.#endedAtMs = endedAtMs
    this.#isComplete = isComplete
    this.#options = null
  }

  /** No other request is answered from it any more: whoever still knows it holds nothing of its answer. */
  forget(): void {
    if (this.#head !== null) this.#head = GONE
  }

  /** False if there is none. */
  #startGrace(): boolean {
    if (this.#options === null || this.#options.graceMs === 0) return false
    const { graceMs, startGrace, onAbandoned } = this.#options
    this.#stopGrace = startGrace(graceMs, () => {
      this.#stopGrace = null
      onAbandoned()
    })
    return true
  }
}
