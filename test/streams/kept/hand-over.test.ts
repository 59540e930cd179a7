// Readers are moved only when another node has what their clients were sent, and read on where they are until then.
import { test } from 'tap'
import { NO_USAGE } from '../../../src/model/usage.js'
import { HandOver } from '../../../src/streams/kept/hand-over.js'
import { type FrameReader } from '../../../src/streams/reader.js'

const END = { outcome: 'complete', error: null, usage: NO_USAGE, usageSource: 'provider' } as const

function createReader() {
  const notes = { offset: 3, notified: 0, detached: 0, isCut: false, asked: [] as number[] }
  const answers: ((isStored: boolean) => void)[] = []
  const reader: FrameReader = {
    get offset() {
      return notes.offset
    },
    get isCut() {
      return notes.isCut
    },
    read() {
      notes.offset += 1
      return Buffer.from('x')
    },
    end: () => END,
    detach: () => {
      notes.detached += 1
    },
  }
  const movable = {
    reader,
    onReadable: () => {
      notes.notified += 1
    },
    stored: (number: number) => {
      notes.asked.push(number)
      return new Promise<boolean>((resolve) => answers.push(resolve))
    },
  }
  return { notes, movable, answers }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('a reader that is moved reads nothing more, and is cut when all it has read is stored', async (t) => {
  const handOver = new HandOver()
  const { notes, movable, answers } = createReader()
  const reader = handOver.hold(movable)
  reader.read()
  t.same([reader.isMoved, reader.end()], [false, END])
  handOver.begin()
  t.same([reader.read(), reader.end(), reader.offset, notes.asked], [null, null, 4, [4]])
  t.equal(reader.isCut, false, 'not before')
  answers[0]?.(true)
  await turn()
  t.same([reader.isCut, reader.isMoved, notes.notified], [true, true, 1])
})

test('a reader whose frames are nowhere else reads on, and is asked again', async (t) => {
  const handOver = new HandOver()
  const { notes, movable, answers } = createReader()
  const reader = handOver.hold(movable)
  handOver.begin()
  answers[0]?.(false)
  await turn()
  t.same([reader.isCut, notes.notified], [false, 1])
  t.not(reader.read(), null)
  const deadlineMs = performance.now() + 20_000
  // The timer of the next try keeps no process alive.
  while (notes.asked.length < 2 && performance.now() < deadlineMs)
    await new Promise((resolve) => setTimeout(resolve, 10))
  t.same(notes.asked, [3, 4])
  reader.detach()
  answers[1]?.(true)
  await turn()
  t.same([notes.detached, reader.isMoved], [1, false], 'one that has left is left alone')
})

test('a reader that comes while readers are moved is moved at once', async (t) => {
  const handOver = new HandOver()
  handOver.begin()
  const { movable, answers } = createReader()
  const reader = handOver.hold(movable)
  answers[0]?.(true)
  await turn()
  t.equal(reader.isMoved, true)
})
