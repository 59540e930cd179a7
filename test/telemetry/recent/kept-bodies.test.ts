// Bodies of the last requests: by id, and never more bytes than allowed.
import { test } from 'tap'
import { KeptBodies, type KeptBody } from '../../../src/telemetry/recent/kept-bodies.js'

const KIB = 1024
const body = (requestId: string, text = 'x'.repeat(KIB)): KeptBody => ({
  ...{ requestId, path: '/v1/chat/completions', key: 'app', owner: 'o' },
  bytes: new TextEncoder().encode(text),
})

test('the oldest make room, and one that is too large is not kept', async (t) => {
  const bodies = new KeptBodies()
  for (const id of ['a', 'b', 'c']) bodies.note(body(id), 4 * KIB)
  t.equal(bodies.find('a'), null)
  t.match(bodies.find('b'), { requestId: 'b' })
  t.match(bodies.find('c'), { requestId: 'c' })
  bodies.note(body('d', 'x'.repeat(4 * KIB)), 4 * KIB)
  t.equal(bodies.find('d'), null)
  t.ok(bodies.find('c'), 'nothing had to leave for it')
  bodies.shrink(0)
  t.equal(bodies.find('c'), null)
})

test('of equal ids the last one counts, and takes its memory alone', async (t) => {
  const bodies = new KeptBodies()
  bodies.note(body('other'), 4 * KIB)
  for (const text of ['first', 'second', 'third']) bodies.note(body('same', text.padEnd(KIB)), 4 * KIB)
  t.match(new TextDecoder().decode(bodies.find('same')?.bytes), /^third/)
  t.ok(bodies.find('other'))
})
