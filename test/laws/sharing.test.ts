// A law of shared answers: whatever clients, providers and time do, each client that stays gets all of one answer or is told that it
// failed, and nothing is left behind.
import fc from 'fast-check'
import { test } from 'tap'
import { turn } from '../helpers/pipeline.js'
import { OPENAI, STREAMS } from '../helpers/pipeline-wires.js'
import { GRACE_MS, KEEP_MS, type SharedClient, SharingRig, WHOLE_STREAM } from '../helpers/sharing-rig.js'

const { head, content, finish, marker } = STREAMS[OPENAI]
const FRAMES = [head, ...content, finish, marker]
const RUNS = 150

type Act =
  | {
      readonly act: 'ask'
      readonly content: string
      readonly asks: boolean
      readonly key: string
      readonly retryCount: string
      readonly cacheControl: string
    }
  | { readonly act: 'leave'; readonly which: number }
  | { readonly act: 'send' | 'cut' | 'refuse'; readonly which: number }
  | { readonly act: 'pass'; readonly ms: number }
  | { readonly act: 'stop'; readonly which: number }

const which = fc.nat({ max: 50 })
const ACT: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      act: fc.constant('ask' as const),
      content: fc.constantFrom('a', 'b'),
      asks: fc.boolean(),
      key: fc.constantFrom('', '', '', 'k1', 'k2'),
      retryCount: fc.constantFrom('0', '0', '1'),
      cacheControl: fc.constantFrom('', '', 'no-cache', 'no-store'),
    }),
  },
  { weight: 4, arbitrary: fc.record({ act: fc.constant('leave' as const), which }) },
  { weight: 8, arbitrary: fc.record({ act: fc.constant('send' as const), which }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constantFrom('cut' as const, 'refuse' as const), which }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constant('pass' as const), ms: fc.constantFrom(25, 600, 6000) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('stop' as const), which }) },
)
const OWNER = 'd'.repeat(64)

/** Clients and calls of one run; a call is sent frame by frame. */
class Play {
  readonly rig: SharingRig
  readonly clients: SharedClient[] = []
  readonly #sent = new Map<number, number>()

  constructor(rig: SharingRig) {
    this.rig = rig
  }

  async perform(act: Act): Promise<void> {
    switch (act.act) {
      case 'ask': {
        const { key: idempotencyKey, ...asking } = act
        // A key belongs to one request.
        const content = idempotencyKey === '' ? asking.content : idempotencyKey
        this.clients.push(this.rig.startAsk({ ...asking, content, idempotencyKey }))
        break
      }
      case 'leave': {
        const client = this.clients[act.which % Math.max(1, this.clients.length)]
        if (client !== undefined && !client.isGone && !client.isDone) await client.leave()
        break
      }
      case 'send':
        this.#send(this.#callAt(act.which))
        break
      case 'cut':
        this.rig.pipe.calls[this.#callAt(act.which)]?.cut()
        break
      case 'refuse': {
        const call = this.rig.pipe.calls[this.#callAt(act.which)]
        if (call?.hasHead === false) call.head(500, { 'content-type': 'application/json' }).send('{}').end()
        break
      }
      case 'pass':
        this.rig.timers.advance(act.ms)
        break
      case 'stop': {
        const id = this.clients[act.which % Math.max(1, this.clients.length)]?.header('x-sluice-stream') ?? ''
        this.rig.ground.streams.find(id, OWNER)?.cancel()
      }
    }
    await turn()
  }

  /** All providers say the rest, also to those who ask because of it. */
  async finish(): Promise<void> {
    for (let at = 0; at < this.rig.pipe.calls.length; at++) {
      while (this.rig.pipe.calls[at]?.isOver === false) this.#send(at)
      await turn()
      this.rig.timers.advance(600)
      await turn()
      await turn()
    }
  }

  /** Each call is over, or all has been said but for its end, for which nobody waits. */
  get isSaid(): boolean {
    return this.rig.pipe.calls.every(({ isOver }, at) => isOver || (this.#sent.get(at) ?? 0) >= FRAMES.length)
  }

  #callAt(which: number): number {
    return which % Math.max(1, this.rig.pipe.calls.length)
  }

  #send(at: number): void {
    const call = this.rig.pipe.calls[at]
    if (call === undefined) return
    const sent = this.#sent.get(at) ?? 0
    this.#sent.set(at, sent + 1)
    call.head().send(FRAMES[sent] ?? '')
    if (sent >= FRAMES.length) call.end()
  }
}

const bare = (text: string) => text.replace(/^id: \d+\n/gm, '')

const SHARING = fc.constantFrom(
  null,
  { coalesce: true, cache: null },
  { coalesce: false, cache: { ttlMs: 1000, scope: 'key' } } as const,
  { coalesce: true, cache: { ttlMs: 1000, scope: 'gateway' } } as const,
)
const ACTS = fc.array(ACT, { minLength: 5, maxLength: 60 })

/** A client that stayed has a whole answer or an error; of one that left, what it got is the beginning of the answer. */
function isServed({ sink, isGone, isDone, text: received }: SharedClient): boolean {
  const text = bare(received)
  const hasError = /"error":/.test(text) || sink.answers.some(({ error }) => error !== null)
  const isFair = isGone ? WHOLE_STREAM.startsWith(text) : isDone && text === WHOLE_STREAM
  return (isFair || hasError) && sink.late.length === 0
}

/** No exchange, slot, stream or call is open, and each request has settled once. */
function isOver({ rig: { pipe, ground }, clients, isSaid }: Play): boolean {
  const isEmpty = pipe.pipeline.openCount() === 0 && pipe.limiter.active() === 0 && ground.streams.size === 0
  return isEmpty && pipe.records.length === clients.length && isSaid
}

test('whatever happens, who stays gets a whole answer or an error, and nothing is left', async (t) => {
  const law = fc.asyncProperty(SHARING, ACTS, async (config, acts) => {
    const play = new Play(new SharingRig(t, config, { concurrency: 1000 }))
    for (const act of acts) await play.perform(act)
    await play.finish()
    const areServed = play.clients.every(isServed)
    play.rig.timers.advance(KEEP_MS * 2)
    await turn()
    return areServed && isOver(play)
  })
  await fc.assert(law, { numRuns: RUNS })
  t.pass(`${RUNS} runs`)
})

test('whatever has happened, when all have left every provider is cut off within the grace', async (t) => {
  const law = fc.asyncProperty(SHARING, ACTS, async (config, acts) => {
    const play = new Play(new SharingRig(t, config, { concurrency: 1000 }))
    for (const act of acts) await play.perform(act)
    for (const client of play.clients) if (!client.isGone && !client.isDone) await client.leave()
    // The grace of a request, of its stream, and the seam of one that it leads.
    for (const ms of [GRACE_MS, GRACE_MS, 100, 100]) {
      play.rig.timers.advance(ms)
      await turn()
    }
    const areCutOff = play.isSaid
    play.rig.timers.advance(KEEP_MS * 2)
    await turn()
    return areCutOff && play.clients.every(isServed) && isOver(play)
  })
  await fc.assert(law, { numRuns: RUNS })
  t.pass(`${RUNS} runs`)
})
