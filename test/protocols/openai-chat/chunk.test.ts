// What a frame is, before anything is read out of it.
import { test } from 'tap'
import { errorIn, firstChoice, isDoneMarker } from '../../../src/protocols/openai-chat/chunk.js'

test('only the end marker is the end marker', (t) => {
  t.equal(isDoneMarker(Buffer.from('[DONE]')), true)
  t.equal(isDoneMarker(Buffer.from('[DONE] ')), true)
  t.equal(isDoneMarker(Buffer.from('[1]')), false)
  t.equal(isDoneMarker(Buffer.from('{}')), false)
  t.equal(isDoneMarker(Buffer.from('')), false)
  t.end()
})

test('errors are found in the places where vendors put them', (t) => {
  t.equal(errorIn({ error: 'x' }), 'x')
  t.equal(errorIn({ error: '' }), null)
  t.equal(errorIn({ error: null, choices: [] }), null)
  t.strictSame(errorIn({ object: 'error', message: 'm' }), { object: 'error', message: 'm' })
  t.equal(errorIn({ x_groq: { id: 'r', error: 'over_capacity' }, choices: [] }), 'over_capacity')
  t.equal(errorIn({ x_groq: { id: 'r' }, choices: [] }), null)
  t.strictSame(errorIn({ choices: [{ error: { code: 502 } }] }), { code: 502 })
  t.end()
})

test('the first choice is the one with index 0 or without an index', (t) => {
  t.strictSame(firstChoice({ choices: [{ index: 1 }, { index: 0, a: 1 }] }), { index: 0, a: 1 })
  t.strictSame(firstChoice({ choices: [null, {}] }), {})
  t.equal(firstChoice({ choices: [] }), null)
  t.equal(firstChoice({}), null)
  t.end()
})
