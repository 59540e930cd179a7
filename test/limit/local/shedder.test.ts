// How many new requests a turn of the event loop lets in, by how long its turns take.
import { test } from 'tap'
import { Shedder } from '../../../src/limit/local/shedder.js'

const TARGET_MS = 25
const SAMPLE_MS = 50

/** A loop on a clock of its own: what comes in costs `costMs`, a refusal `refusalMs`, and one turn serves what came during the last. */
class Loop {
  readonly shedder = new Shedder((callback) => {
    this.#endTurn = callback
  })
  readonly costMs: number
  readonly refusalMs: number
  nowMs = 0
  lastTurnMs = 1
  served = 0
  refused = 0
  worstTurnMs = 0
  #endTurn: () => void = () => {}
  #sampledAtMs = 0
  #activeMs = 0
  #turns = 0
  #rest = 0

  constructor(costMs: number, refusalMs: number) {
    this.costMs = costMs
    this.refusalMs = refusalMs
  }

  /** Runs for so long; `perSec` come evenly, and `otherShare` of the time goes to what runs already. */
  run(ms: number, perSec: number, otherShare = 0): void {
    const endMs = this.nowMs + ms
    this.served = 0
    this.refused = 0
    this.worstTurnMs = 0
    while (this.nowMs < endMs) this.#turn(perSec, otherShare)
  }

  #turn(perSec: number, otherShare: number): void {
    this.#rest += (this.lastTurnMs * perSec) / 1000
    let workMs = otherShare * this.lastTurnMs
    for (; this.#rest >= 1; this.#rest--) {
      const isIn = this.shedder.refusal() === null
      if (isIn) this.served++
      else this.refused++
      workMs += isIn ? this.costMs : this.refusalMs
    }
    this.#endTurn()
    // A loop with little to do waits for more, a millisecond here.
    this.lastTurnMs = Math.max(1, workMs)
    this.nowMs += this.lastTurnMs
    this.worstTurnMs = Math.max(this.worstTurnMs, this.lastTurnMs)
    this.#activeMs += workMs
    this.#turns++
    const spanMs = this.nowMs - this.#sampledAtMs
    if (spanMs < SAMPLE_MS) return
    const sample = { spanMs, turnMs: this.#activeMs / this.#turns, utilization: this.#activeMs / spanMs }
    this.shedder.sample(sample, TARGET_MS)
    this.#sampledAtMs = this.nowMs
    this.#activeMs = 0
    this.#turns = 0
  }
}

/** Each request has a turn of its own. */
function createShedder(): Shedder {
  return new Shedder((callback) => callback())
}

/** One sample for each of these turns, with a new request in it. */
function feed(shedder: Shedder, turnsMs: readonly number[], utilization = 1): void {
  for (const turnMs of turnsMs) {
    shedder.refusal()
    shedder.sample({ spanMs: Math.max(SAMPLE_MS, turnMs), turnMs, utilization }, TARGET_MS)
  }
}

test('at three times the capacity a loop serves what it can beside its refusals, in turns near the target', (t) => {
  for (const [costMs, refusalMs] of [
    [1, 0.03],
    [0.1, 0.02],
    [8, 0.03],
  ] as const) {
    const loop = new Loop(costMs, refusalMs)
    const perSec = 3000 / costMs
    loop.run(1000, perSec / 4)
    t.equal(loop.refused, 0)
    loop.run(4000, perSec)
    loop.run(3000, perSec)
    const ratio = refusalMs / costMs
    const best = ((1 - 3 * ratio) / (1 - ratio)) * (3000 / costMs)
    t.ok(loop.served > 0.95 * best, `${loop.served} of ${best.toFixed(0)} with ${costMs} ms each`)
    t.ok(loop.worstTurnMs < 2 * TARGET_MS, `${loop.worstTurnMs} ms with ${costMs} ms each`)
    loop.run(2000, perSec / 4)
    loop.run(1000, perSec / 4)
    t.equal(loop.refused, 0, 'and it is over when the load is')
    t.equal(loop.shedder.perTurn, Number.POSITIVE_INFINITY)
  }
  t.end()
})

test('what runs already keeps its share, and the rest goes to new requests', (t) => {
  const loop = new Loop(1, 0.03)
  loop.run(6000, 3000, 0.5)
  loop.run(3000, 3000, 0.5)
  // Of each second 500 ms are left: 3000 refusals less those served.
  const best = (3000 * (0.5 - 3 * 0.03)) / (1 - 0.03)
  t.ok(loop.served > 0.93 * best, `${loop.served} of ${best.toFixed(0)}`)
  t.ok(loop.worstTurnMs < 2 * TARGET_MS, String(loop.worstTurnMs))
  t.end()
})

test('where running exchanges alone are too much hardly anybody comes in, and all do when they have ended', (t) => {
  const loop = new Loop(1, 0.03)
  loop.run(1000, 500)
  loop.run(5000, 500, 1.05)
  t.ok(loop.shedder.perTurn < 1, String(loop.shedder.perTurn))
  loop.run(5000, 500, 0.2)
  loop.run(1000, 500, 0.2)
  t.ok(loop.served > 490, String(loop.served))
  t.equal(loop.shedder.perTurn, Number.POSITIVE_INFINITY)
  t.end()
})

test('after the deepest overload all are served again within two seconds', (t) => {
  const loop = new Loop(1, 0.03)
  loop.run(1000, 500)
  loop.run(5000, 40_000)
  t.ok(loop.worstTurnMs > 1000, 'the refusals alone are too much')
  // What waits is refused first.
  loop.run(1, 500)
  loop.run(2000, 500)
  loop.run(1000, 500)
  t.equal(loop.refused, 0)
  t.ok(loop.served > 490, String(loop.served))
  t.end()
})

test('a peak is forgiven, however high, and so is what waited behind it', (t) => {
  const shedder = createShedder()
  feed(shedder, [1, 1, 1, 1, 5000, 2000, 800, 300, 100, 40, 10, 1])
  t.equal(shedder.perTurn, Number.POSITIVE_INFINITY)
  t.end()
})

test('a loop that has time to wait keeps up, however long its turns are', (t) => {
  const shedder = createShedder()
  feed(shedder, Array(30).fill(10 * TARGET_MS), 0.9)
  t.equal(shedder.perTurn, Number.POSITIVE_INFINITY)
  feed(shedder, Array(30).fill(10 * TARGET_MS), 1)
  t.ok(shedder.perTurn < 1, String(shedder.perTurn))
  t.end()
})

test('it begins at eight times the target, and goes on until turns are as long as the target', (t) => {
  const shedder = createShedder()
  feed(shedder, Array(60).fill(8 * TARGET_MS))
  t.equal(shedder.perTurn, Number.POSITIVE_INFINITY)
  feed(shedder, Array(20).fill(8.1 * TARGET_MS))
  const begun = shedder.perTurn
  t.ok(begun < 1, String(begun))
  feed(shedder, Array(60).fill(2 * TARGET_MS))
  t.ok(shedder.perTurn <= begun, `${shedder.perTurn} after ${begun}`)
  t.end()
})

test('long turns without new requests limit nothing', (t) => {
  const shedder = createShedder()
  for (let i = 0; i < 30; i++) shedder.sample({ spanMs: 100, turnMs: 100, utilization: 1 }, TARGET_MS)
  t.equal(shedder.perTurn, Number.POSITIVE_INFINITY)
  t.end()
})

test('the refusal is a 503 with a time to come back, the same each time', (t) => {
  const shedder = createShedder()
  feed(shedder, Array(9).fill(10 * TARGET_MS))
  const refusals = Array.from({ length: 10 }, () => shedder.refusal()).filter((each) => each !== null)
  t.match(refusals[0], { data: { code: 'overloaded', status: 503, retryable: true, retryAfterMs: 1000 } })
  t.ok(refusals.length >= 8 && refusals.every((each) => each === refusals[0]))
  t.end()
})

test('without a target nothing is shed, and what was shed before is let in', (t) => {
  const shedder = createShedder()
  feed(shedder, Array(9).fill(10 * TARGET_MS))
  t.ok(shedder.perTurn < 1)
  shedder.sample({ spanMs: 200, turnMs: 200, utilization: 1 }, null)
  for (let i = 0; i < 10; i++) t.equal(shedder.refusal(), null)
  t.end()
})
