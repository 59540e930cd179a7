// What event loops know of each other's runs, between three of them.
import { test } from 'tap'
import { type HeadMessage, type PeerAnswers, RunPeers } from '../../../src/streams/sharing/run-peers.js'
import { type RunHead } from '../../../src/streams/sharing/shared-run.js'
import { FakeChannel } from '../../helpers/fake-loops.js'
import { createFakeTimers } from '../../helpers/fake-timers.js'

type Log = { readonly id: string }
const UNREACHABLE = 'unreachable'

/** Two turns: there and back. */
async function turns(count = 4): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

class Answers implements PeerAnswers<string> {
  found: ReturnType<PeerAnswers<string>['find']> = []
  readonly events: string[] = []
  onHead: ((head: HeadMessage<string>) => void) | null = null

  find({ how, name }: Parameters<PeerAnswers<string>['find']>[0]) {
    this.events.push(`${how} ${name}`)
    return this.found
  }

  join(run: number, onHead: (head: HeadMessage<string>) => void): () => void {
    this.events.push(`join ${run}`)
    this.onHead = onHead
    return () => void this.events.push(`released ${run}`)
  }

  delivered(run: number): void {
    this.events.push(`delivered ${run}`)
  }
}

function createLoops() {
  const channel = new FakeChannel<string>()
  const timers = createFakeTimers()
  const logs = new Map<string, Log>()
  const loops = [0, 1, 2].map((loopIndex) => {
    const answers = new Answers()
    const after = (delayMs: number, act: () => void) => timers.after(delayMs, act)
    const reach = (id: string) =>
      id === UNREACHABLE ? Promise.reject(new Error('no store')) : Promise.resolve(logs.get(id) ?? null)
    const peers = new RunPeers<Log, string>({ loopIndex, channel: channel.end(loopIndex), answers, reach, after })
    return { peers, answers }
  })
  const [a, b, c] = loops
  if (a === undefined || b === undefined || c === undefined) throw new Error('three loops')
  return { channel, timers, logs, a, b, c }
}

const one = (run: number, isLost = false) => ({ run, requestId: `req-${run}`, isLost, isCrowded: false })

test('a name is known everywhere as long as one loop has it', async (t) => {
  const { a, b, c } = createLoops()
  a.peers.announce('d', true)
  c.peers.announce('d', true)
  t.notOk(b.peers.mayHave('d'), 'not at once')
  await turns()
  t.ok(b.peers.mayHave('d'))
  t.ok(a.peers.mayHave('d'), 'that of the third')
  t.notOk(b.peers.mayHave('e'))
  a.peers.announce('d', false)
  await turns()
  t.notOk(c.peers.mayHave('d'), 'its own is no other')
  t.ok(b.peers.mayHave('d'))
  c.peers.announce('d', false)
  c.peers.announce('never', false)
  await turns()
  t.notOk(b.peers.mayHave('d'))
})

test('only those that have a name are asked, and all of them answer', async (t) => {
  const { a, b, c } = createLoops()
  a.answers.found = [one(1), one(2, true)]
  c.answers.found = [one(1)]
  t.same(await b.peers.find({ how: 'retry', name: 'd' }), [])
  a.peers.announce('d', true)
  await turns()
  t.match(await b.peers.find({ how: 'retry', name: 'd' }), [
    { requestId: 'req-1' },
    { requestId: 'req-2', isLost: true },
  ])
  t.same(c.answers.events, [])
  c.peers.announce('d', true)
  await turns()
  t.equal((await b.peers.find({ how: 'follower', name: 'd' })).length, 3)
  t.same(a.answers.events, ['retry d', 'follower d'])
})

test('one that has the key for another request decides', async (t) => {
  const { a, b } = createLoops()
  a.answers.found = 'mismatch'
  a.peers.announce('k', true)
  await turns()
  t.equal(await b.peers.find({ how: 'key', name: 'k', bodyDigest: 'x' }), 'mismatch')
})

test('a loop that does not answer is left out after a second', async (t) => {
  const { channel, timers, a, b, c } = createLoops()
  a.answers.found = [one(1)]
  a.peers.announce('d', true)
  c.peers.announce('d', true)
  await turns()
  channel.dead.add(2)
  const finding = b.peers.find({ how: 'follower', name: 'd' })
  await turns()
  timers.advance(999)
  t.equal(await Promise.race([finding, 'waiting']), 'waiting')
  timers.advance(1)
  t.match(await finding, [{ requestId: 'req-1' }])
  channel.dead.delete(2)
  await turns()
})

test('a run is joined with its head; a stream is held open until it is read', async (t) => {
  const { logs, a, b } = createLoops()
  a.answers.found = [one(7)]
  a.peers.announce('d', true)
  await turns()
  const found = await b.peers.find({ how: 'follower', name: 'd' })
  const [run] = found === 'mismatch' ? [] : found
  const heads: RunHead<Log, string>[] = []
  const join = () => run?.wait((head) => heads.push(head)) ?? (() => undefined)
  const settle = async (head: HeadMessage<string>) => {
    a.answers.onHead?.(head)
    await turns()
  }
  logs.set('s', { id: 's' })
  join()
  await turns()
  t.same(a.answers.events, ['follower d', 'join 7'])
  t.same(heads, [])
  await settle({ kind: 'stream', id: 's', owner: 'o' })
  const [head] = heads
  t.equal(head?.kind === 'stream' ? head.find()?.id : null, 's')
  t.notOk(a.answers.events.includes('released 7'))
  if (head?.kind === 'stream') head.release?.()
  if (head?.kind === 'stream') head.release?.()
  await turns()
  t.equal(a.answers.events.filter((event) => event === 'released 7').length, 1)

  for (const [said, heard] of [
    [
      { kind: 'answer', answer: 'yes' },
      { kind: 'answer', answer: 'yes' },
    ],
    [{ kind: 'gone' }, { kind: 'gone' }],
    [{ kind: 'stream', id: 'forgotten', owner: 'o' }, { kind: 'gone' }],
  ] as const) {
    join()
    await turns()
    await settle(said)
    t.same(heads.at(-1), heard)
  }
  await turns()
  t.equal(a.answers.events.filter((event) => event === 'released 7').length, 4, 'each is released')
  run?.noteDelivered(false)
  run?.noteDelivered(true)
  run?.join()()
  await turns()
  t.equal(a.answers.events.at(-1), 'delivered 7')
  t.equal(run?.head, null)
})

test('who leaves before the head, or while the stream is looked for, gets none and holds none', async (t) => {
  const { logs, a, b } = createLoops()
  a.answers.found = [one(7)]
  logs.set('s', { id: 's' })
  a.peers.announce('d', true)
  await turns()
  const found = await b.peers.find({ how: 'follower', name: 'd' })
  const [run] = found === 'mismatch' ? [] : found
  const heads: unknown[] = []
  const leave = run?.wait((head) => heads.push(head))
  await turns()
  leave?.()
  leave?.()
  await turns()
  a.answers.onHead?.({ kind: 'gone' })
  await turns()
  const leaveLate = run?.wait((head) => heads.push(head))
  await turns()
  a.answers.onHead?.({ kind: 'stream', id: 's', owner: 'o' })
  leaveLate?.()
  await turns()
  t.same(heads, [])
  t.equal(a.answers.events.filter((event) => event === 'released 7').length, 2)
})

test('a stream that cannot be looked for is gone, for the one that waits and for the loop that holds it', async (t) => {
  const { a, b } = createLoops()
  a.answers.found = [one(7)]
  a.peers.announce('d', true)
  await turns()
  const found = await b.peers.find({ how: 'follower', name: 'd' })
  const heads: RunHead<Log, string>[] = []
  if (found === 'mismatch') throw new Error('found')
  found[0]?.wait((head) => heads.push(head))
  await turns()
  a.answers.onHead?.({ kind: 'stream', id: UNREACHABLE, owner: 'o' })
  await turns(8)
  t.same(heads, [{ kind: 'gone' }])
  t.equal(a.answers.events.at(-1), 'released 7')
})
