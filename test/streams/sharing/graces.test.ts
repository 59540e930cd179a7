// Graces end by their time, or all at once.
import { test } from 'tap'
import { Graces } from '../../../src/streams/sharing/graces.js'
import { createFakeTimers } from '../../helpers/fake-timers.js'

function createGraces() {
  const timers = createFakeTimers()
  const ended: string[] = []
  const graces = new Graces((delayMs, act) => timers.after(delayMs, act))
  const start = (name: string, ms: number) => graces.start(ms, () => void ended.push(name))
  return { timers, ended, graces, start }
}

test('each ends by its time, unless it is called off', (t) => {
  const { timers, ended, start } = createGraces()
  start('a', 10)
  const stop = start('b', 5)
  start('c', 20)
  stop()
  timers.advance(10)
  t.same(ended, ['a'])
  timers.advance(10)
  t.same(ended, ['a', 'c'])
  t.end()
})

test('all end at once, and later ones with the next turn', (t) => {
  const { timers, ended, graces, start } = createGraces()
  start('a', 10)
  start('b', 20)()
  start('c', 30)
  graces.endAll()
  t.same(ended, ['a', 'c'])
  start('d', 40)
  t.same(ended, ['a', 'c'])
  timers.advance(0)
  t.same(ended, ['a', 'c', 'd'])
  timers.advance(100)
  t.same(ended, ['a', 'c', 'd'], 'each once')
  t.end()
})
