// What a frame is before its wire reads it: an object, silence, or a loss.
import { test } from 'tap'
import { errorData } from '../../src/errors.js'
import { FRAME_BROKEN, FRAME_ERROR, FRAME_OTHER, type StreamObserver } from '../../src/protocols/contract/protocol.js'
import { bitsWithoutObject, brokenFrame, failureOf, isSilent, parsePayload } from '../../src/protocols/frame-payload.js'

test('only an object is a payload; broken UTF-8 in its texts is replaced, not fatal', async (t) => {
  for (const text of ['[1]', '{', 'null', '7', '"{}"', '', '{}{}']) t.equal(parsePayload(Buffer.from(text)), null, text)
  t.strictSame(parsePayload(Buffer.from('{"a":"\xff"}', 'latin1')), { a: '\ufffd' })
})

test('blank data and a bare end marker are silence, anything else without an object is a loss', async (t) => {
  for (const text of ['', ' ', '\t\r\n', '[DONE]', ' [DONE]']) {
    t.ok(isSilent(Buffer.from(text)), JSON.stringify(text))
    t.equal(bitsWithoutObject(Buffer.from(text)), FRAME_OTHER)
  }
  for (const text of ['[done]', '[DONE]]', 'null', 'ping', '{', '\0', '\ufeff{}']) {
    t.notOk(isSilent(Buffer.from(text)), JSON.stringify(text))
    t.equal(bitsWithoutObject(Buffer.from(text)), FRAME_BROKEN)
  }
})

test('a broken frame is the fault of the upstream, and another may do better', async (t) => {
  t.match(brokenFrame(), { code: 'upstream_malformed', retryable: true, status: 502 })
})

test('a failed stream ends with the error that the upstream told, a broken one with our own, a silent one as cut', async (t) => {
  const told = errorData('rate_limited')
  const observer = (error: typeof told | null) => ({ error }) as StreamObserver
  t.equal(failureOf(FRAME_ERROR, observer(told)), told)
  t.equal(failureOf(FRAME_ERROR, observer(null)).code, 'upstream_cut')
  t.equal(
    failureOf(FRAME_ERROR | FRAME_BROKEN, observer(told)).code,
    'upstream_malformed',
    'what came before is not whole',
  )
})
