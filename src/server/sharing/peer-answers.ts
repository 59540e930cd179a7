// What this event loop answers to the others about its runs. A stream that another loop is about to join is held open for it, since the
// way there takes longer than the seam between two readers on one loop.
import { type SharedAnswer } from '../../pipeline/client.js'
import { type KeptStream } from '../../streams/kept/kept-stream.js'
import { type FindQuery, type FoundRun, type HeadMessage, type PeerAnswers } from '../../streams/sharing/run-peers.js'
import { type Run, type SharingGround } from './sharing.js'

/** Runs that others were told of; the oldest are forgotten first, and are gone for those who come late. */
const MAX_TOLD = 4096
/** A loop that has not joined by then does not need the stream. */
const HOLD_MS = 5000

type Head = NonNullable<Run['head']>

/** For the other loops of the process. */
export class LoopAnswers implements PeerAnswers<SharedAnswer> {
  readonly #ground: Pick<SharingGround, 'index' | 'timers'>
  readonly #told = new Map<number, Run>()
  readonly #numbers = new WeakMap<Run, number>()
  #serial = 0

  constructor(ground: Pick<SharingGround, 'index' | 'timers'>) {
    this.#ground = ground
  }

  find(query: FindQuery): readonly FoundRun[] | 'mismatch' {
    const { index } = this.#ground
    switch (query.how) {
      case 'retry':
        return index.candidates(query.name).map(({ run, isLost }) => this.#tell(run, isLost))
      case 'follower': {
        const run = index.running(query.name)
        return run === null ? [] : [this.#tell(run, false)]
      }
      case 'key': {
        const keyed = index.keyed(query.name)
        if (keyed === null) return []
        return keyed.bodyDigest === query.bodyDigest ? [this.#tell(keyed.run, false)] : 'mismatch'
      }
    }
  }

  join(number: number, onHead: (head: HeadMessage<SharedAnswer>) => void): () => void {
    const run = this.#told.get(number)
    if (run === undefined) {
      onHead({ kind: 'gone' })
      return nothing
    }
    let release = nothing
    const take = (head: Head): void => {
      const stream = head.kind === 'stream' ? head.find() : null
      if (head.kind === 'answer') onHead({ kind: 'answer', answer: head.answer })
      else if (stream === null) onHead({ kind: 'gone' })
      else {
        release = this.#hold(stream)
        onHead({ kind: 'stream', id: stream.facts.id, owner: stream.facts.owner })
      }
    }
    const { head } = run
    if (head === null) release = run.wait(take)
    else take(head)
    return () => release()
  }

  delivered(number: number): void {
    this.#told.get(number)?.noteDelivered(true)
  }

  /** As a reader that reads nothing. */
  #hold(stream: KeptStream): () => void {
    const reader = stream.attach({ how: 'follower', offset: stream.next, onReadable: nothing })
    const stop = this.#ground.timers.after(HOLD_MS, () => reader.detach())
    return () => {
      stop()
      reader.detach()
    }
  }

  #tell(run: Run, isLost: boolean): FoundRun {
    const number = this.#numbers.get(run) ?? ++this.#serial
    if (!this.#told.has(number)) {
      this.#numbers.set(run, number)
      this.#told.set(number, run)
      const [oldest] = this.#told.keys()
      if (this.#told.size > MAX_TOLD && oldest !== undefined) this.#told.delete(oldest)
    }
    return { run: number, requestId: run.requestId, isLost, isCrowded: run.isCrowded }
  }
}

function nothing(): void {}
