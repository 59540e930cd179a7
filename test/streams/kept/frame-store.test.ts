// The frames of a kept stream in memory: every number is its own frame, from any place, and memory is what it says.
import fc from 'fast-check'
import { test } from 'tap'
import { FrameStore, SEGMENT_COST_BYTES } from '../../../src/streams/kept/frame-store.js'

function push(store: FrameStore, text: string): void {
  pushAll(store, [text])
}

/** Frames that come at once. */
function pushAll(store: FrameStore, texts: readonly string[]): void {
  const source = Buffer.from(`<${texts.join('')}>`)
  let end = 1
  const ends = texts.map((text) => {
    end += text.length
    return end
  })
  // What lies behind the count is of earlier frames.
  store.push(source, 1, { ends: [...ends, 7], count: ends.length })
}

function readFrom(store: FrameStore, offset: number): string[] {
  const cursor = store.cursorAt(offset)
  const read: string[] = []
  for (let next = store.read(cursor); next !== null; next = store.read(cursor)) read.push(Buffer.from(next).toString())
  return read
}

/** All bytes from a number on, as they lie behind each other. */
function readRunsFrom(store: FrameStore, offset: number): string {
  const cursor = store.cursorAt(offset)
  let read = ''
  for (let next = store.readRun(cursor); next !== null; next = store.readRun(cursor))
    read += Buffer.from(next).toString()
  return cursor.offset === store.next && cursor.position === store.totalBytes ? read : 'not at the end'
}

test('gives each frame back under its number, whatever their sizes and however many come at once, from any place', (t) => {
  const size = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 40_000 }))
  const runs = fc.array(fc.array(size, { maxLength: 12 }), { maxLength: 12 })
  fc.assert(
    fc.property(runs, fc.integer({ min: 0, max: 30 }), (lengths, drops) => {
      const store = new FrameStore()
      let count = 0
      const texts = lengths.map((run) => run.map((length) => String.fromCharCode(97 + (count++ % 26)).repeat(length)))
      const frames = texts.flat()
      const early = store.cursorAt(0)
      for (const run of texts) pushAll(store, run)
      for (let i = 0; i < drops; i++) store.dropFirst()
      const { first, next } = store
      if (next !== frames.length || first > next) return false
      if (first > 0 && store.read(early) !== null) return false
      for (let from = first; from <= next; from++) {
        if (readFrom(store, from).join() !== frames.slice(from).join()) return false
        if (readRunsFrom(store, from) !== frames.slice(from).join('')) return false
      }
      store.seal()
      return (
        readFrom(store, first).join() === frames.slice(first).join() &&
        readRunsFrom(store, first) === frames.slice(first).join('')
      )
    }),
  )
  t.end()
})

test('a cursor goes on where frames come later, and counts the bytes before it', (t) => {
  const store = new FrameStore()
  const cursor = store.cursorAt(0)
  t.equal(store.read(cursor), null)
  push(store, 'abc')
  push(store, 'de')
  t.equal(Buffer.from(store.read(cursor) ?? '').toString(), 'abc')
  t.same([cursor.offset, cursor.position], [1, 3])
  t.equal(store.cursorAt(1).position, 3)
  t.equal(store.cursorAt(2).position, 5, 'at the end')
  t.equal(store.totalBytes, 5)
  const ahead = store.cursorAt(3)
  push(store, 'f')
  t.equal(store.read(ahead), null, 'not before its number comes')
  push(store, 'g')
  t.equal(Buffer.from(store.read(ahead) ?? '').toString(), 'g')
  t.end()
})

test('counts the memory of its segments and frames, and gives back what the last one did not need', (t) => {
  const store = new FrameStore()
  t.equal(store.heldBytes, 0)
  push(store, 'x'.repeat(100))
  t.equal(store.heldBytes, 4096 + SEGMENT_COST_BYTES)
  store.seal()
  t.equal(store.heldBytes, 104 + SEGMENT_COST_BYTES)
  store.seal()
  t.same(readFrom(store, 0), ['x'.repeat(100)])
  push(store, 'y'.repeat(50_000))
  t.equal(store.secondFirst, 1)
  store.dropFirst()
  t.equal(store.heldBytes, 50_004 + SEGMENT_COST_BYTES)
  store.dropFirst()
  t.equal(store.heldBytes, 0)
  t.same([store.first, store.next, store.secondFirst], [2, 2, null])
  store.dropFirst()
  t.equal(store.heldBytes, 0)
  t.end()
})

test('a reader whose segment is dropped reads nothing of it', (t) => {
  const store = new FrameStore()
  for (let i = 0; i < 10; i++) push(store, 'z'.repeat(1000))
  const cursor = store.cursorAt(0)
  store.read(cursor)
  store.dropFirst()
  t.ok(store.first > 1)
  t.equal(store.read(cursor), null)
  t.equal(cursor.offset, 1, 'it stays where it was')
  t.end()
})
