// The tail buffer and the question whether a payload is whole.
import { test } from 'tap'
import { isWholePayload, TailBuffer } from '../../src/wire/scanner.js'
import { thrownBy } from '../helpers/thrown.js'

test('collects pieces and hands them over once', async (t) => {
  const tail = new TailBuffer(2000)
  const piece = Buffer.from('abcdef')
  for (let i = 0; i < 200; i++) tail.append(piece, 1, 5)
  t.equal(tail.length, 800)
  const taken = tail.take()
  t.equal(taken.toString(), 'bcde'.repeat(200))
  t.equal(tail.length, 0)
  tail.append(piece, 0, 6)
  t.equal(tail.bytes.toString(), 'abcdef')
  t.equal(taken.toString(), 'bcde'.repeat(200), 'what was taken is left alone')
})

test('refuses what goes over its cap', async (t) => {
  const tail = new TailBuffer(5)
  t.equal(thrownBy(() => tail.append(Buffer.alloc(6), 0, 6)).code, 'upstream_malformed')
})

test('knows a whole payload from a cut one', async (t) => {
  for (const whole of ['[DONE]', '{}', '[1]', '{"a":{"b":"}"}}'])
    t.equal(isWholePayload(Buffer.from(whole)), true, whole)
  for (const cut of ['', '[DON', '{', '{"a":"}', '12', '"x"', 'null'])
    t.equal(isWholePayload(Buffer.from(cut)), false, cut)
})
