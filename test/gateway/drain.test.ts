// The phases of a drain, on a clock that only the drain itself moves.
import { test } from 'tap'
import { type Drainable, drain, drainableOf, endNow } from '../../src/gateway/drain.js'

type Setup = {
  readonly drainMs: number
  readonly graceMs: number
  readonly endsAtMs: number
  /** When an exchange that other nodes serve ends by itself, and the limit for it. */
  readonly sharedEndsAtMs?: number
  readonly sharedMs?: number
}

/** Runs a drain of one exchange that ends by itself at `endsAtMs`, and tells what happened when. */
async function run({
  drainMs,
  graceMs,
  endsAtMs,
  sharedEndsAtMs = 0,
  sharedMs = drainMs,
}: Setup): Promise<{ events: string[]; endedAtMs: number }> {
  let nowMs = 0
  let isEnded = false
  let isSharedEnded = false
  const events: string[] = []
  const note = (what: string): void => {
    events.push(`${nowMs} ${what}`)
  }
  const loop: Drainable = {
    openCount: () => (isEnded || nowMs >= endsAtMs ? 0 : 1) + (isSharedEnded || nowMs >= sharedEndsAtMs ? 0 : 1),
    refuseNew: () => note('refuse'),
    closeIdle: () => {},
    endAll: (isSparing) => {
      note(isSparing ? 'end all but shared' : 'end all')
      isEnded = true
      isSharedEnded ||= !isSparing
    },
  }
  const pause = async (ms: number): Promise<void> => {
    nowMs += ms
  }
  await drain(loop, { drainMs, sharedMs, graceMs, nowMs: () => nowMs, pause })
  return { events, endedAtMs: nowMs }
}

test('new work is served for the grace, what runs may end, and the last one ends the drain', async (t) => {
  const { events, endedAtMs } = await run({ drainMs: 30_000, graceMs: 2000, endsAtMs: 5000 })
  t.same(events, ['2000 refuse'])
  t.ok(endedAtMs >= 5000 && endedAtMs < 5100, String(endedAtMs))
})

test('idle connections are closed with the listener, and again as others become idle', async (t) => {
  const events: string[] = []
  let open = 3
  const loop: Drainable = {
    openCount: () => open,
    refuseNew: () => events.push('refuse'),
    closeIdle: () => events.push('close idle'),
    endAll: () => events.push('end all'),
  }
  const pause = async (): Promise<void> => {
    open -= 1
  }
  await drain(loop, { drainMs: 1000, sharedMs: 1000, graceMs: 0, nowMs: () => 0, pause })
  t.same(events, ['refuse', ...Array.from({ length: 4 }, () => 'close idle')])
})

test('with nothing open it is over with the grace', async (t) => {
  t.same(await run({ drainMs: 30_000, graceMs: 2000, endsAtMs: 0 }), { events: ['2000 refuse'], endedAtMs: 2000 })
  t.same(await run({ drainMs: 30_000, graceMs: 0, endsAtMs: 0 }), { events: ['0 refuse'], endedAtMs: 0 })
})

test('survivors are ended at the deadline, and get a moment to hear of it', async (t) => {
  const { events, endedAtMs } = await run({ drainMs: 1000, graceMs: 400, endsAtMs: Number.POSITIVE_INFINITY })
  t.same(events, ['400 refuse', '1000 end all'])
  t.ok(endedAtMs > 1000 && endedAtMs <= 2000, String(endedAtMs))
})

test('streams that other nodes serve have a limit of their own, and may end the drain before it', async (t) => {
  const forEver = Number.POSITIVE_INFINITY
  const early = await run({ drainMs: 1000, graceMs: 0, endsAtMs: forEver, sharedEndsAtMs: 5000, sharedMs: 60_000 })
  t.same(early.events, ['0 refuse', '1000 end all but shared'])
  t.ok(early.endedAtMs >= 5000 && early.endedAtMs < 5100, String(early.endedAtMs))
  const late = await run({ drainMs: 1000, graceMs: 0, endsAtMs: 500, sharedEndsAtMs: forEver, sharedMs: 9000 })
  t.same(late.events, ['0 refuse', '1000 end all but shared', '9000 end all'])
})

test('the grace is a part of the drain, never longer than it', async (t) => {
  const { events } = await run({ drainMs: 300, graceMs: 2000, endsAtMs: Number.POSITIVE_INFINITY })
  t.same(events, ['300 refuse', '300 end all'])
})

test('an end without a drain refuses what is new, ends what is open, and leaves it a turn to write', async (t) => {
  const events: string[] = []
  const ended = endNow({ refuseNew: () => events.push('refuse'), endAll: () => events.push('end all') })
  t.same(events, ['refuse', 'end all'])
  setImmediate(() => events.push('turn'))
  await ended
  t.ok(events.length >= 2)
})

test('all generations are drained together with what is only arriving', (t) => {
  const ended: string[] = []
  const work = (name: string, count: number) => ({
    openCount: () => count,
    endAll: (isSparing: boolean) => ended.push(`${name} ${isSparing}`),
  })
  const door = {
    open: { requests: 4 },
    closeListener: () => ended.push('listener'),
    closeIdle: () => ended.push('idle'),
  }
  const kept = { leave: () => ended.push('leave') }
  const loop = drainableOf(() => [work('old', 1), work('new', 2)], door, kept)
  t.equal(loop.openCount(), 7)
  loop.endAll(true)
  loop.refuseNew()
  loop.closeIdle()
  t.same(ended, ['old true', 'new true', 'listener', 'leave', 'idle'])
  t.equal(drainableOf(() => [], null, kept).openCount(), 0, 'before it listens')
  t.end()
})
