// What the event loops of a process know of each other's runs: which loop has runs under a name, and how one of those is joined from here.
// Names are announced to all; everything else is asked of a loop that has announced. A loop that does not answer in time is left out:
// then a request runs by itself, which is never wrong.
//
//   has, has not  --> all loops            find --> found: which runs        join --> head, as soon as there is one
import { type JoinableRun, type RunHead } from './shared-run.js'

/** `name`: a digest, or the Idempotency-Key of an owner. */
export type FindQuery =
  | { readonly how: 'follower' | 'retry'; readonly name: string }
  | { readonly how: 'key'; readonly name: string; readonly bodyDigest: string }

/** A run that another loop has found; `isLost`: its client seems to be gone. */
export type FoundRun = {
  readonly run: number
  readonly requestId: string
  readonly isLost: boolean
  readonly isCrowded: boolean
}

/** A head as it crosses threads: a stream by its id. */
export type HeadMessage<Answer> =
  | { readonly kind: 'stream'; readonly id: string; readonly owner: string }
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'gone' }

export type PeerMessage<Answer> = {
  readonly from: number
  /** Null: all other loops. */
  readonly to: number | null
} & (
  | { readonly type: 'has' | 'has-not'; readonly name: string }
  | { readonly type: 'find'; readonly ask: number; readonly query: FindQuery }
  | { readonly type: 'found'; readonly ask: number; readonly found: readonly FoundRun[] | 'mismatch' }
  | { readonly type: 'join'; readonly ask: number; readonly run: number }
  | { readonly type: 'head'; readonly ask: number; readonly head: HeadMessage<Answer> }
  /** It reads the stream now, or does not want it any more. */
  | { readonly type: 'joined'; readonly ask: number }
  | { readonly type: 'delivered'; readonly run: number }
)

/** Reaches all other loops of the process, in order. */
export type PeerChannel<Answer> = {
  send(message: PeerMessage<Answer>): void
  listen(take: (message: PeerMessage<Answer>) => void): void
}

/** What this loop answers to others. */
export type PeerAnswers<Answer> = {
  find(query: FindQuery): readonly FoundRun[] | 'mismatch'
  /** Calls `onHead` once, unless the returned function is called before; after that it is called when the other loop has joined. */
  join(run: number, onHead: (head: HeadMessage<Answer>) => void): () => void
  delivered(run: number): void
}

export type RunPeersOptions<Log, Answer> = {
  readonly loopIndex: number
  readonly channel: PeerChannel<Answer>
  readonly answers: PeerAnswers<Answer>
  /** A stream of any loop; null if it is no longer there. */
  readonly reach: (id: string, owner: string) => Log | null | Promise<Log | null>
  readonly after: (delayMs: number, act: () => void) => () => void
}

/** It has such a run, so an answer is worth a wait; a loop that is later than this is stuck. */
const FOUND_WITHIN_MS = 1000

export class RunPeers<Log, Answer> {
  readonly #options: RunPeersOptions<Log, Answer>
  /** The loops that have runs under a name. */
  readonly #holders = new Map<string, Set<number>>()
  readonly #finding = new Map<number, (from: number, found: readonly FoundRun[] | 'mismatch') => void>()
  readonly #joining = new Map<number, (head: HeadMessage<Answer>) => void>()
  /** Joined from other loops: by loop and the number that it has given. */
  readonly #joined = new Map<string, () => void>()
  #serial = 0

  constructor(options: RunPeersOptions<Log, Answer>) {
    this.#options = options
    options.channel.listen((message) => {
      if (message.to === null || message.to === options.loopIndex) this.#take(message)
    })
  }

  /** This loop has a first run under the name, or none any more. */
  announce(name: string, isHeld: boolean): void {
    this.#options.channel.send({ from: this.#options.loopIndex, to: null, type: isHeld ? 'has' : 'has-not', name })
  }

  /** Whether it is worth asking the others. */
  mayHave(name: string): boolean {
    return this.#holders.has(name)
  }

  /** The runs of other loops, or that one of them has the key for another request. */
  find(query: FindQuery): Promise<readonly RemoteRun<Log, Answer>[] | 'mismatch'> {
    const holders = [...(this.#holders.get(query.name) ?? [])]
    if (holders.length === 0) return Promise.resolve([])
    const ask = ++this.#serial
    const runs: RemoteRun<Log, Answer>[] = []
    let missing = holders.length
    return new Promise((resolve) => {
      const finish = (result: readonly RemoteRun<Log, Answer>[] | 'mismatch'): void => {
        stop()
        this.#finding.delete(ask)
        resolve(result)
      }
      const stop = this.#options.after(FOUND_WITHIN_MS, () => finish(runs))
      this.#finding.set(ask, (from, found) => {
        missing -= 1
        if (found === 'mismatch') finish(found)
        else {
          for (const one of found) runs.push(new RemoteRun(this, from, one))
          if (missing === 0) finish(runs)
        }
      })
      for (const to of holders) this.#send(to, { type: 'find', ask, query })
    })
  }

  /** Only for RemoteRun. */
  join(to: number, run: number, onHead: (head: RunHead<Log, Answer>) => void): () => void {
    const ask = ++this.#serial
    let isWanted = true
    const leave = (): void => {
      if (!isWanted) return
      isWanted = false
      this.#joining.delete(ask)
      this.#send(to, { type: 'joined', ask })
    }
    this.#joining.set(ask, (head) => {
      this.#joining.delete(ask)
      void this.#arrive(head).then((log) => {
        if (!isWanted) return
        const isStream = head.kind === 'stream' && log !== null
        if (!isStream) leave()
        if (head.kind === 'answer') onHead(head)
        else onHead(isStream ? { kind: 'stream', find: () => log, release: leave } : { kind: 'gone' })
      })
    })
    this.#send(to, { type: 'join', ask, run })
    return leave
  }

  /** Only for RemoteRun. */
  noteDelivered(to: number, run: number): void {
    this.#send(to, { type: 'delivered', run })
  }

  /** The stream of a head, which the other loop holds open until it is told that it is joined. Never rejects. */
  async #arrive(head: HeadMessage<Answer>): Promise<Log | null> {
    if (head.kind !== 'stream') return null
    try {
      return await this.#options.reach(head.id, head.owner)
    } catch {
      // It has ended meanwhile, and the store in which it might be is unavailable: then it is gone.
      return null
    }
  }

  #take(message: PeerMessage<Answer>): void {
    const { from } = message
    const { answers } = this.#options
    switch (message.type) {
      case 'has':
        this.#holdersOf(message.name).add(from)
        return
      case 'has-not':
        this.#forget(message.name, from)
        return
      case 'find':
        this.#send(from, { type: 'found', ask: message.ask, found: answers.find(message.query) })
        return
      case 'found':
        this.#finding.get(message.ask)?.(from, message.found)
        return
      case 'join': {
        const { ask, run } = message
        const release = answers.join(run, (head) => this.#send(from, { type: 'head', ask, head }))
        this.#joined.set(`${from} ${ask}`, release)
        return
      }
      case 'head':
        this.#joining.get(message.ask)?.(message.head)
        return
      case 'joined': {
        const name = `${from} ${message.ask}`
        this.#joined.get(name)?.()
        this.#joined.delete(name)
        return
      }
      case 'delivered':
        answers.delivered(message.run)
    }
  }

  #holdersOf(name: string): Set<number> {
    const known = this.#holders.get(name)
    if (known !== undefined) return known
    const made = new Set<number>()
    this.#holders.set(name, made)
    return made
  }

  #forget(name: string, from: number): void {
    const holders = this.#holders.get(name)
    holders?.delete(from)
    if (holders?.size === 0) this.#holders.delete(name)
  }

  #send(to: number, message: DistributiveOmit<PeerMessage<Answer>, 'from' | 'to'>): void {
    this.#options.channel.send({ ...message, from: this.#options.loopIndex, to } as PeerMessage<Answer>)
  }
}

type DistributiveOmit<Union, Names extends PropertyKey> = Union extends unknown ? Omit<Union, Names> : never

/** A run of another loop. */
export class RemoteRun<Log, Answer> implements JoinableRun<Log, Answer> {
  readonly #peers: RunPeers<Log, Answer>
  readonly #loop: number
  readonly #run: number
  readonly requestId: string
  readonly isLost: boolean
  readonly isCrowded: boolean
  readonly head = null

  constructor(peers: RunPeers<Log, Answer>, loop: number, { run, requestId, isLost, isCrowded }: FoundRun) {
    this.#peers = peers
    this.#loop = loop
    this.#run = run
    this.requestId = requestId
    this.isLost = isLost
    this.isCrowded = isCrowded
  }

  wait(onHead: (head: RunHead<Log, Answer>) => void): () => void {
    return this.#peers.join(this.#loop, this.#run, onHead)
  }

  /** The head of a remote stream bears its own release. */
  join(): () => void {
    return () => undefined
  }

  noteDelivered(isDelivered: boolean): void {
    if (isDelivered) this.#peers.noteDelivered(this.#loop, this.#run)
  }
}
