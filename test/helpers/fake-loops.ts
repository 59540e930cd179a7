// Several event loops of one process on one thread: what they send each other is cloned and arrives in a later turn, in order.
import { type SharedAnswer } from '../../src/pipeline/client.js'
import { LoopAnswers } from '../../src/server/sharing/peer-answers.js'
import { type SharingGround } from '../../src/server/sharing/sharing.js'
import { type ReadableLog } from '../../src/streams/kept/readable-log.js'
import { type PeerChannel, type PeerMessage, RunPeers } from '../../src/streams/sharing/run-peers.js'

/** A channel of which each end hears all others. */
export class FakeChannel<Answer> {
  readonly sent: PeerMessage<Answer>[] = []
  /** Nothing arrives any more from these. */
  readonly dead = new Set<number>()
  readonly #ends: { readonly loopIndex: number; readonly take: (message: PeerMessage<Answer>) => void }[] = []

  end(loopIndex: number): PeerChannel<Answer> {
    return {
      send: (message) => {
        this.sent.push(message)
        const copy = structuredClone(message)
        setImmediate(() => {
          if (this.dead.has(loopIndex)) return
          for (const end of this.#ends) if (end.loopIndex !== loopIndex) end.take(copy)
        })
      },
      listen: (take) => void this.#ends.push({ loopIndex, take }),
    }
  }
}

/** Where loops find each other and each other's streams. */
export class FakeLoops {
  readonly channel = new FakeChannel<SharedAnswer>()
  readonly #streams: SharingGround['streams'][] = []

  join(
    loopIndex: number,
    { index, streams, timers }: Pick<SharingGround, 'index' | 'streams' | 'timers'>,
  ): RunPeers<ReadableLog, SharedAnswer> {
    this.#streams.push(streams)
    return new RunPeers<ReadableLog, SharedAnswer>({
      ...{ loopIndex, channel: this.channel.end(loopIndex), answers: new LoopAnswers({ index, timers }) },
      after: (delayMs, act) => timers.after(delayMs, act),
      reach: async (id, owner) => {
        await new Promise((resolve) => setImmediate(resolve))
        return this.#streams.map((each) => each.find(id, owner)).find((each) => each !== null) ?? null
      },
    })
  }
}
