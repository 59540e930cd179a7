// SlotIndexes by key: a line is nobody's own, and no key keeps another out of it.
import { test } from 'tap'
import { WaitLine } from '../../../src/limit/waiting/wait-line.js'

type Entry = { readonly keyIndex: number; readonly name: string }

/** A line with so many waiters of each key. */
function lineOf(max: number, counts: readonly number[]) {
  const line = new WaitLine<Entry>(max)
  counts.forEach((count, keyIndex) => {
    for (let i = 1; i <= count; i++) line.add({ keyIndex, name: `${keyIndex}.${i}` })
  })
  return line
}

test('a key alone may fill the line; a newcomer of another takes the place of its newest', (t) => {
  const line = lineOf(4, [4])
  t.equal(line.roomFor(0), 'full')
  t.match(line.roomFor(1), { givenUpBy: { name: '0.4' } })
  t.equal(lineOf(5, [4]).roomFor(0), 'free')
  t.end()
})

test('places are given up until all keys have the same share, and no further', (t) => {
  const line = lineOf(6, [6])
  for (const name of ['a', 'b', 'c']) {
    const room = line.roomFor(1)
    if (typeof room === 'string') throw new Error(room)
    line.remove(room.givenUpBy)
    line.add({ keyIndex: 1, name })
  }
  t.same([line.countOf(0), line.countOf(1), line.size], [3, 3, 6])
  t.equal(line.roomFor(1), 'full')
  t.equal(line.roomFor(0), 'full')
  t.match(line.roomFor(2), { givenUpBy: { name: '0.3' } })
  t.equal(lineOf(2, [1, 1]).roomFor(2), 'full', 'a place is not passed on for nothing')
  t.end()
})

test('the waiters of a key keep the order of their arrival, and leave no trace', (t) => {
  const line = lineOf(9, [2, 1])
  const first = line.firstOf(0)
  t.match(first, { name: '0.1' })
  if (first === undefined) return
  t.ok(line.has(first))
  t.ok(line.remove(first))
  t.notOk(line.has(first))
  t.notOk(line.remove(first))
  t.match(line.firstOf(0), { name: '0.2' })
  t.same(
    [...line.entries()].map(({ name }) => name),
    ['0.2', '1.1'],
  )
  for (const entry of [...line.entries()]) line.remove(entry)
  t.same([line.size, line.keys(), line.firstOf(0)], [0, [], undefined])
  t.end()
})

test('a newcomer waits for its own key, and for each other key as often', (t) => {
  const line = lineOf(99, [20, 1, 3])
  t.equal(line.turnsBefore(3), 3)
  t.equal(line.turnsBefore(1), 1 + 2 + 2)
  t.equal(line.turnsBefore(0), 20 + 1 + 3)
  t.end()
})

test('the key is to blame for its own cap and for its share, the gateway for a line that others fill', (t) => {
  const cases: [counts: number[], keyIndex: number, isKeyFull: boolean, scope: string][] = [
    [[4], 0, false, 'gateway'],
    [[4], 0, true, 'key'],
    [[4], 1, true, 'gateway'],
    [[3, 1], 0, false, 'key'],
    [[3, 1], 1, false, 'gateway'],
    [[1, 1, 1, 1], 4, false, 'gateway'],
    [[1, 1, 1, 1], 0, false, 'key'],
  ]
  for (const [counts, keyIndex, isKeyFull, scope] of cases) {
    t.equal(lineOf(4, counts).blame(keyIndex, isKeyFull), scope, `${counts} ${keyIndex} ${isKeyFull}`)
  }
  t.equal(lineOf(0, []).blame(0, true), 'key', 'without a line there is the cap alone')
  t.equal(lineOf(0, []).blame(0, false), 'gateway')
  t.end()
})

test('places are by turn: each key once a round, and a key at its own cap in a line of its own', async (t) => {
  const line = lineOf(99, [3, 1, 2])
  const placesOf = (order: number[], full: number[] = []) =>
    [...line.places(order, (key) => full.includes(key))].map(([{ name }, place]) => `${place}: ${name}`)
  t.same(placesOf([2, 0, 1]), ['1: 2.1', '2: 0.1', '3: 1.1', '4: 2.2', '5: 0.2', '6: 0.3'])
  t.same(placesOf([0, 1, 2], [0]), ['1: 1.1', '2: 2.1', '3: 2.2', '1: 0.1', '2: 0.2', '3: 0.3'])
  t.same(placesOf([]), [])
  t.same([...lineOf(9, []).places([0], () => false)], [], 'a key without waiters')
})
