// Which request a retry means, which one an equal request may follow, and which one has an Idempotency-Key.
import { test } from 'tap'
import { certainOf, keyNameOf, RETRY_WINDOW_MS, RunIndex } from '../../../src/streams/sharing/run-index.js'
import { type JoinableStream, type RunOptions, SharedRun } from '../../../src/streams/sharing/shared-run.js'

const K = keyNameOf('a', 'k')

type Run = SharedRun<JoinableStream, string>

function createIndex() {
  const clock = { ms: 1000 }
  const index = new RunIndex<Run>(() => clock.ms)
  const createRun = (options: Partial<RunOptions> = {}): Run =>
    new SharedRun({
      ...{ requestId: 'r', graceMs: 1000, mayBeRetried: true, takesFollowers: true },
      startGrace: () => () => undefined,
      onAbandoned: () => undefined,
      ...options,
    })
  /** Under the digest `d`, with its client or without. */
  const add = (isLost: boolean, options: Partial<RunOptions> = {}): Run => {
    const run = createRun(options)
    index.add('d', run)
    if (isLost) run.clientLeft()
    return run
  }
  const end = (run: Run, isComplete = true): void => {
    if (run.head === null) run.begin({ kind: 'answer', answer: 'all' })
    run.end(clock.ms, isComplete)
    index.end('d', run)
  }
  const lost = (digest: string) => certainOf(index.candidates(digest))
  return { index, lost, clock, createRun, add, end }
}

test('a retry means the one request whose client was lost', (t) => {
  const { lost, add } = createIndex()
  t.equal(lost('d'), null)
  add(false)
  const run = add(true)
  add(false)
  t.same(lost('d'), { run, isLost: true })
  t.equal(lost('e'), null)
  t.end()
})

test('where none was lost, the only one there is', (t) => {
  const { lost, add } = createIndex()
  const run = add(false)
  t.same(lost('d'), { run, isLost: false })
  add(false)
  t.equal(lost('d'), null, 'of two it cannot be known')
  t.end()
})

test('of two that were lost it cannot be known which', (t) => {
  const { lost, add } = createIndex()
  add(true)
  add(true)
  t.equal(lost('d'), null)
  t.end()
})

test('a retry may come for a minute after the end of a complete answer', (t) => {
  const { lost, clock, add, end } = createIndex()
  const run = add(true)
  end(run)
  clock.ms += RETRY_WINDOW_MS
  t.same(lost('d'), { run, isLost: true })
  clock.ms += 1
  t.equal(lost('d'), null)
  t.end()
})

test('never one that failed, was delivered, has lost its beginning, or was not asked to be kept', (t) => {
  const { index, lost, add, end } = createIndex()
  end(add(true), false)
  t.equal(index.size, 0, 'one that failed leaves at its end')
  const delivered = add(true)
  delivered.noteDelivered(true)
  end(delivered)
  t.equal(lost('d'), null)
  const stream = { first: 1, streamEnd: null, readerCount: 0 }
  const cut = add(true)
  cut.begin({ kind: 'stream', find: () => stream })
  t.equal(lost('d'), null)
  stream.first = 0
  t.equal(lost('d')?.run, cut)
  index.remove('d', cut)
  add(true, { mayBeRetried: false })
  t.equal(lost('d'), null)
  t.end()
})

test('an equal request follows one that runs, takes followers and has its beginning', (t) => {
  const { index, add, end } = createIndex()
  add(false, { takesFollowers: false })
  t.equal(index.running('d'), null)
  const run = add(false)
  t.equal(index.running('d'), run)
  t.equal(index.running('e'), null)
  end(run)
  t.equal(index.running('d'), null)
  const forgetful = add(false)
  forgetful.begin({ kind: 'stream', find: () => ({ first: 3, streamEnd: null, readerCount: 1 }) })
  t.equal(index.running('d'), null)
  t.end()
})

test('a key belongs to its owner and its request, until that has failed or is forgotten', (t) => {
  const { index, createRun, clock } = createIndex()
  const run = createRun()
  index.addKeyed(K, { run, bodyDigest: 'b' })
  t.same(index.keyed(K), { run, bodyDigest: 'b' })
  t.equal(index.keyed(keyNameOf('b', 'k')), null)
  index.removeKeyed(K, createRun())
  t.equal(index.keyed(K)?.run, run, 'another request does not free it')
  let kept: JoinableStream | null = { first: 0, streamEnd: null, readerCount: 0 }
  run.begin({ kind: 'stream', find: () => kept })
  run.end(clock.ms, true)
  t.equal(index.keyed(K)?.run, run)
  kept = null
  t.equal(index.keyed(K), null)
  t.equal(index.size, 0)
  index.addKeyed(K, { run: createRun(), bodyDigest: 'b' })
  index.removeKeyed(K, run)
  t.not(index.keyed(K), null)
  t.end()
})

test('what is of no use leaves as others come', (t) => {
  const { index, clock, createRun, add, end } = createIndex()
  for (let i = 0; i < 50; i++) {
    end(add(true))
    const run = createRun()
    index.addKeyed(keyNameOf('a', String(i)), { run, bodyDigest: 'b' })
    if (i % 2 === 1) continue
    run.end(clock.ms, false)
  }
  clock.ms += RETRY_WINDOW_MS + 1
  add(false)
  for (let i = 0; i < 50; i++) index.addKeyed(keyNameOf('b', String(i)), { run: createRun(), bodyDigest: 'b' })
  t.equal(index.size, 1 + 25 + 50)
  t.end()
})
