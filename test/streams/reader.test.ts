// The reader by itself, against a log of its test's own making.
import { test } from 'tap'
import { LogReader, type LogSource } from '../../src/streams/reader.js'

function createSource(): LogSource & { left: number } {
  return {
    left: 0,
    readFor: () => Uint8Array.of(1),
    endFor: () => null,
    detach() {
      this.left += 1
    },
  }
}

test('pulls from its log and is notified by it', async (t) => {
  let told = 0
  const reader = new LogReader(createSource(), 5, () => {
    told += 1
  })
  t.equal(reader.offset, 5)
  t.equal(reader.isCut, false)
  t.same(reader.read(), Uint8Array.of(1))
  t.equal(reader.end(), null)
  reader.notify()
  t.equal(told, 1)
})

test('reads nothing and hears nothing once it has left', async (t) => {
  let told = 0
  const source = createSource()
  const reader = new LogReader(source, 0, () => {
    told += 1
  })
  reader.detach()
  t.equal(source.left, 1)
  t.equal(reader.read(), null)
  reader.notify()
  t.equal(told, 0)
})
