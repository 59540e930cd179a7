// Ids of kept streams: they tell the loop and nothing else, and none is guessed.
import { test } from 'tap'
import { createStreamId, loopOf, shownStreamId } from '../../../src/streams/kept/stream-id.js'

test('an id tells the loop on which its stream lives', (t) => {
  for (const loop of [0, 1, 15, 16, 63, 255]) t.equal(loopOf(createStreamId(loop)), loop)
  t.match(createStreamId(10), /^str_0a[A-Za-z0-9_-]{22}$/)
  t.end()
})

test('what is no id belongs to no loop', (t) => {
  const id = createStreamId(0)
  for (const wrong of [
    '',
    'str_',
    id.slice(0, -1),
    `${id}a`,
    id.replace('str_', 'STR_'),
    `${id.slice(0, -1)}=`,
    ` ${id}`,
    `str_zz${id.slice(6)}`,
  ]) {
    t.equal(loopOf(wrong), null, wrong)
  }
  t.end()
})

test('132 bits of an id are random', (t) => {
  const ids = Array.from({ length: 2000 }, () => createStreamId(0).slice('str_00'.length))
  t.equal(new Set(ids).size, ids.length)
  // Every one of the 22 places takes every one of the 64 characters, so no bit is fixed.
  for (let place = 0; place < 22; place++) t.equal(new Set(ids.map((id) => id[place])).size, 64, `place ${place}`)
  t.end()
})

test('a log line shows eight characters of it', (t) => {
  t.equal(shownStreamId('str_00abcdefghijkl'), 'str_00abcdef')
  t.end()
})
