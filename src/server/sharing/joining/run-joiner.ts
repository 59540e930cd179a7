// Joins a request to the run of another one, as a retry of it or as a follower: it waits until that one's answer begins, then gets the
// answer, or a reader of the stream.
import { type ShareVerdict } from '../../../pipeline/client.js'
import { type Sink } from '../../../pipeline/sink.js'
import { type ReadableLog } from '../../../streams/kept/readable-log.js'
import { BorrowedLog } from '../../../streams/sharing/borrowed-log.js'
import { type SharingRequest } from '../../context.js'
import { KeptSink } from '../../kept/kept-sink.js'
import { ATTACHED, FOLLOWER, lastingHeaders, TOO_MANY } from '../answers.js'
import { ReaderSink } from '../reader-sink.js'
import { type AnyRun, type RunHead, type SharingGround, type SharingPolicy } from '../sharing.js'

export type JoinerOptions = {
  readonly ground: SharingGround
  readonly policy: SharingPolicy
  readonly request: SharingRequest
}

export type Joining = {
  /** By its Idempotency-Key, not by a guess. */
  readonly isNamed: boolean
  readonly onGone: () => Deciding
  /** Before the client's own, or that one: it may keep a stream of its own. */
  readonly sink: Sink
}

/** What becomes of a request, at once or once it is known. */
export type Deciding = ShareVerdict | Promise<ShareVerdict>

const ALONE: ShareVerdict = Object.freeze({ kind: 'alone' })

export class RunJoiner {
  readonly #options: JoinerOptions
  /** Stops what it waits for, or gives back what it has taken of the other run. */
  #stopWaiting: (() => void) | null = null

  constructor(options: JoinerOptions) {
    this.#options = options
  }

  join(run: AnyRun, how: 'retry' | 'follower', joining: Joining): Deciding {
    const { head } = run
    // Followers have a slot, which bounds them.
    if (how === 'retry' && run.isCrowded) return TOO_MANY
    if (head !== null) return this.#joinHead(run, how, { ...joining, head })
    return new Promise((resolve) => {
      const leave = run.wait((begun) => {
        this.#stopWaiting = null
        resolve(this.#joinHead(run, how, { ...joining, head: begun }))
      })
      this.#stopWaiting = () => {
        leave()
        resolve(ALONE)
      }
    })
  }

  #joinHead(run: AnyRun, how: 'retry' | 'follower', joining: Joining & { readonly head: RunHead }): Deciding {
    const { head, isNamed, onGone } = joining
    const shared = { how, requestId: run.requestId } as const
    const mark = how === 'retry' ? ATTACHED : FOLLOWER
    if (head.kind === 'answer') {
      // A repetition by key gets what the first one gets; otherwise an error is a reason to try anew.
      if ('error' in head.answer && how === 'retry' && !isNamed) return onGone()
      run.noteDelivered(true)
      return { kind: 'answer', answer: head.answer, headers: mark, shared }
    }
    const log = head.kind === 'stream' ? head.find() : null
    const release = (head.kind === 'stream' ? head.release : undefined) ?? nothing
    if (log === null || log.first > 0) {
      release()
      return onGone()
    }
    if (how === 'retry' && log.isCrowded) {
      release()
      return TOO_MANY
    }
    const joinedHere = run.join()
    const joined = (): void => {
      joinedHere()
      release()
    }
    this.#stopWaiting = joined
    // Kept alive while it waited, it has told its client the id of a stream of its own, which then has to be filled.
    const { sink: own } = joining
    const isOwn = how === 'follower' || (own instanceof KeptSink && own.stream !== null)
    const borrowed = new BorrowedLog((onReadable) => {
      // A client that asked for its stream finds it on another node, too; so does that of a follower's own one.
      const canReturn = how === 'follower' ? own.isShared === true : !isOwn && this.#options.request.hasIds
      const reader = log.attach({ how, offset: 0, onReadable, canReturn })
      joined()
      return reader
    })
    const headers = [...lastingHeaders(log.facts.headers), ...mark]
    const sink = how === 'retry' ? this.#repeatingSink(run, log, isOwn ? own : null) : this.#followingSink(own, log)
    const { trace } = log.facts
    const followed = trace === undefined ? shared : { ...shared, trace }
    return { kind: 'follow', sink, log: borrowed, headers, shared: followed }
  }

  /** `own`: of a stream that it keeps by itself; null: its client gets the id of the one that it repeats. */
  #repeatingSink(run: AnyRun, log: ReadableLog, own: Sink | null): Sink {
    const { ground, policy, request } = this.#options
    return new ReaderSink(own ?? request.clientSink, {
      ...{ source: log, isRepeat: own === null, isFollower: false, hasIds: request.hasIds },
      links: policy.keep?.links ?? null,
      onReader: (result) => {
        ground.streams.counters.streamReader('retry', result)
        run.noteDelivered(result === 'delivered')
      },
    })
  }

  #followingSink(sink: Sink, log: ReadableLog): Sink {
    const { counters, streams } = this.#options.ground
    counters.cacheAnswer('follower')
    return new ReaderSink(sink, {
      ...{ source: log, isRepeat: false, isFollower: true, links: null, hasIds: false },
      onReader: (result) => streams.counters.streamReader('follower', result),
    })
  }

  /** The request that joins is over. */
  ended(): void {
    this.#stopWaiting?.()
    this.#stopWaiting = null
  }
}

function nothing(): void {}
