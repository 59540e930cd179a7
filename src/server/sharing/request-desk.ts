// Decides, for one request, whether it runs or is answered from what another one gets or got, and holds what it owes to those who wait
// for it. It sees the request once it is decoded; the pipeline acts on the verdict.
//
//   cache? --hit--> replay      a retry of one that was lost? --> that one's stream      one that runs? --> follower
//   else it leads: others wait for it, and follow it, through the sinks that it puts before its client's
import { type ExchangeHandle, type ShareSubject, type ShareVerdict } from '../../pipeline/client.js'
import { type Sink } from '../../pipeline/sink.js'
import { ownerOf } from '../../streams/kept/readable-log.js'
import { BorrowedLog } from '../../streams/sharing/borrowed-log.js'
import { hashBody } from '../../streams/sharing/digest.js'
import { type CacheHit } from '../../streams/sharing/exact-cache.js'
import { type Candidate } from '../../streams/sharing/run-index.js'
import { type KeyedAsking, type SharingDesk, type SharingRequest } from '../context.js'
import { KeptSink } from '../kept/kept-sink.js'
import { CachedReader, hitHeaders, MISS, REFUSED } from './answers.js'
import { type Asked, readAsked } from './asked.js'
import { LostRunSearch } from './joining/lost-run-search.js'
import { type Deciding, type Joining, RunJoiner } from './joining/run-joiner.js'
import { OwnRun } from './own-run.js'
import { ReaderSink } from './reader-sink.js'
import { ShareLead } from './share-lead.js'
import { type AnyRun, type Run, type SharingGround, type SharingPolicy } from './sharing.js'

export type DeskOptions = {
  readonly ground: SharingGround
  readonly policy: SharingPolicy
  readonly request: SharingRequest
  /** It came with an Idempotency-Key that was free. */
  readonly keyed?: KeyedAsking | null
  /** It came with the Idempotency-Key of this request. */
  readonly repeats?: AnyRun | null
}

const ALONE: ShareVerdict = Object.freeze({ kind: 'alone' })
const ENTER: ShareVerdict = Object.freeze({ kind: 'enter' })

export class RequestDesk implements SharingDesk {
  readonly isRepeat: boolean
  readonly #options: DeskOptions
  readonly #owner: string
  readonly #cancel: () => void
  #handle: ExchangeHandle | null = null
  #own: OwnRun | null = null
  #lead: ShareLead | null = null
  /** The client's own, or the one before it. */
  #sink: Sink | null = null
  #joiner: RunJoiner | null = null
  #search: LostRunSearch | null = null
  #bodyHash: Uint8Array | null = null
  /** It may join a request that it repeats: not decided yet. */
  #mayJoin: boolean
  #isEnded = false

  constructor(options: DeskOptions) {
    const { request, keyed = null, repeats = null } = options
    this.#options = options
    this.#owner = ownerOf(request.key)
    this.isRepeat = repeats !== null || (keyed === null && request.isRetry)
    this.#mayJoin = this.isRepeat
    this.#cancel = () => this.#handle?.cancel()
    if (keyed !== null) this.#own = this.#createOwn(keyed)
  }

  /** The run that repetitions of its Idempotency-Key are answered from; null without a key. */
  get keyedRun(): Run | null {
    return this.#own?.run ?? null
  }

  /** The exchange, to be cancelled when nobody waits for it any more. */
  hold(handle: ExchangeHandle): void {
    this.#handle = handle
    this.#lead?.hold(handle)
  }

  /** The client has left before its stream began or its answer was whole. True: the exchange goes on. */
  clientLeft(): boolean {
    if (this.#own?.run.clientLeft() === true) return true
    return this.#lead?.run.clientLeft() ?? false
  }

  decide(subject: ShareSubject): Deciding {
    const { repeats = null } = this.#options
    if (repeats !== null) {
      return this.#join(repeats, 'retry', { isNamed: true, onGone: () => REFUSED, sink: subject.sink })
    }
    // Only streams are kept for repetitions; a whole answer is stored.
    if (!subject.isStream && this.#own !== null) this.#dropOwn(subject.sink)
    if (!this.#isShareable(subject)) return this.#mayJoin ? this.#enter() : this.#run(subject, null)
    const isOfUse = this.#mayJoin || subject.policy !== null || subject.sink instanceof KeptSink
    if (!isOfUse) return ALONE
    const hash = this.#bodyHash ?? hashBody(subject.body)
    if (!(hash instanceof Promise)) return this.#choose(subject, hash)
    return hash.then((done) => (this.#isEnded ? ALONE : this.#choose(subject, done)))
  }

  ended(): void {
    this.#isEnded = true
    this.#joiner?.ended()
    this.#search?.ended()
    this.#own?.ended()
    this.#lead?.ended()
  }

  /** Without a gateway key, or with a key of the caller's own, the one who asks again may be another. */
  #isShareable({ isRepeatable }: ShareSubject): boolean {
    const { key, path } = this.#options.request
    return isRepeatable && key.owner !== null && (path?.callerKey ?? null) === null
  }

  #choose(subject: ShareSubject, bodyHash: Uint8Array): Deciding {
    this.#bodyHash = bodyHash
    const { request, ground } = this.#options
    const asked = readAsked(subject, { request, bodyHash, owner: this.#owner })
    if (this.#mayJoin) return this.#joinLost(subject, asked)
    const { cache } = asked
    const found = cache?.isRead === true ? ground.cache.get(cache.digest, cache.maxAgeMs) : null
    if (!(found instanceof Promise)) return this.#replay(subject, asked, found)
    return found.then((hit) => this.#replay(subject, asked, hit))
  }

  /** The request that it repeats, if that is certain. */
  #joinLost({ sink }: ShareSubject, { digest }: Asked): Deciding {
    const found = this.#lostRuns().find(digest)
    const join = (candidate: Candidate<AnyRun> | null): Deciding => this.#joinFound(digest, candidate, sink)
    return found instanceof Promise ? found.then(join) : join(found)
  }

  #joinFound(digest: string, candidate: Candidate<AnyRun> | null, sink: Sink): Deciding {
    if (candidate === null || this.#isEnded) return this.#enter()
    const joining = { isNamed: false, onGone: () => this.#enter(), sink }
    if (candidate.isLost) return this.#join(candidate.run, 'retry', joining)
    return this.#lostRuns()
      .untilLost(digest)
      .then((run) => (run === null ? this.#enter() : this.#join(run, 'retry', joining)))
  }

  #lostRuns(): LostRunSearch {
    this.#search ??= new LostRunSearch(this.#options.ground)
    return this.#search
  }

  #join(run: AnyRun, how: 'retry' | 'follower', joining: Joining): Deciding {
    this.#joiner ??= new RunJoiner(this.#options)
    return this.#joiner.join(run, how, joining)
  }

  /** It repeats none: from here on it is like any other request. */
  #enter(): ShareVerdict {
    this.#mayJoin = false
    return ENTER
  }

  #followOrRun(subject: ShareSubject, asked: Asked, asksPeers = true): Deciding {
    if (this.#isEnded) return ALONE
    const { ground } = this.#options
    const { digest, follows } = asked
    const running = follows ? ground.index.running(digest) : null
    if (running !== null) return this.#follow(subject, asked, running)
    const { peers } = ground
    if (!follows || !asksPeers || peers?.mayHave(digest) !== true) return this.#run(subject, asked)
    return peers.find({ how: 'follower', name: digest }).then((found) => {
      const [run] = found === 'mismatch' || this.#isEnded ? [] : found
      return run === undefined ? this.#followOrRun(subject, asked, false) : this.#follow(subject, asked, run)
    })
  }

  #follow(subject: ShareSubject, asked: Asked, run: AnyRun): Deciding {
    const onGone = (): Deciding => this.#followOrRun(subject, asked, false)
    return this.#join(run, 'follower', { isNamed: false, onGone, sink: this.#ownSink(subject, asked) })
  }

  /** It runs. `asked`: null if nobody may be answered from it but by its key. */
  #run(subject: ShareSubject, asked: Asked | null): ShareVerdict {
    const sink = this.#ownSink(subject, asked)
    const isShared = asked !== null && (asked.leads || asked.cache !== null)
    if (asked === null || !isShared) return sink === subject.sink ? ALONE : { kind: 'lead', sink, headers: [] }
    const { ground, policy, request } = this.#options
    const lead = new ShareLead(sink, { ground, policy, request, asked, onAbandoned: this.#cancel })
    this.#lead = lead
    if (this.#handle !== null) lead.hold(this.#handle)
    return { kind: 'lead', sink: lead.sink, headers: MISS }
  }

  /** The sink before the client's own from which its own retries are answered; the client's where it asked for none. */
  #ownSink({ sink }: ShareSubject, asked: Asked | null): Sink {
    if (this.#sink !== null) return this.#sink
    this.#sink = sink
    if (!(sink instanceof KeptSink)) return sink
    if (this.#own === null && asked !== null) this.#own = this.#createOwn(null)
    if (this.#own !== null) this.#sink = this.#own.around(sink, asked?.digest ?? null)
    return this.#sink
  }

  #createOwn(keyed: KeyedAsking | null): OwnRun {
    const { ground, policy, request } = this.#options
    const onAbandoned = (): void => {
      // Others may still follow what this client has given up.
      if (this.#lead?.run.clientLeft() !== true) this.#cancel()
    }
    return new OwnRun({ ground, policy, request, owner: this.#owner, keyed, onAbandoned })
  }

  /** A client that has left gets no whole answer, and none is stored for it. */
  #dropOwn(sink: Sink): void {
    const { request, keyed = null } = this.#options
    this.#sink = sink
    this.#own?.release()
    this.#own = null
    if (!request.isOver()) return
    keyed?.onEnd()
    this.#cancel()
  }

  #replay(subject: ShareSubject, asked: Asked, hit: CacheHit | null): Deciding {
    if (hit === null || this.#isEnded) return this.#followOrRun(subject, asked)
    const { kind, contentType, body, requestId } = hit.answer
    const { counters, streams } = this.#options.ground
    counters.cacheAnswer('hit')
    const shared = { how: 'hit', requestId } as const
    const headers = hitHeaders(hit)
    if (kind === 'whole') return { kind: 'answer', answer: { status: 200, contentType, body }, headers, shared }
    const log = new BorrowedLog((onReadable) => new CachedReader(body, onReadable))
    const sink = new ReaderSink(this.#ownSink(subject, asked), {
      ...{ source: null, isRepeat: false, isFollower: false, links: null, hasIds: false },
      onReader: (result) => streams.counters.streamReader('replay', result),
    })
    return { kind: 'follow', sink, log, headers, shared }
  }
}
