// The frames of a kept stream in memory: every number is its own frame, from any place, and memory is what it says.
import fc from 'fast-check'
import { test } from 'tap'
import { FrameStore, SEGMENT_COST_BYTES } from '../../../src/streams/kept/frame-store.js'

function push(store: FrameStore, text: string): void {
  const source = Buffer.from(`<${text}>`)
  store.push(source, 1, source.length - 1)
}

function readFrom(store: FrameStore, offset: number): string[] {
  const cursor = store.cursorAt(offset)
  const read: string[] = []
  for (let next = store.read(cursor); next !== null; next = store.read(cursor)) read.push(Buffer.from(next).toString())
  return read
}

test('gives each frame back under its number, whatever their sizes, from any place', (t) => {
  const sizes = fc.array(fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 40_000 })), {
    maxLength: 60,
  })
  fc.assert(
    fc.property(sizes, fc.integer({ min: 0, max: 30 }), (lengths, drops) => {
      const store = new FrameStore()
      const frames = lengths.map((length, i) => String.fromCharCode(97 + (i % 26)).repeat(length))
      const early = store.cursorAt(0)
      for (const text of frames) push(store, text)
      for (let i = 0; i < drops; i++) store.dropFirst()
      const { first, next } = store
      if (next !== frames.length || first > next) return false
      if (first > 0 && store.read(early) !== null) return false
      for (let from = first; from <= next; from++) {
        if (readFrom(store, from).join() !== frames.slice(from).join()) return false
      }
      store.seal()
      return readFrom(store, first).join() === frames.slice(first).join()
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
