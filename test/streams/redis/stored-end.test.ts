// Ends survive Redis unchanged, and those that others write are never clean.
import { test } from 'tap'
import {
  decodeEnd,
  END_AT_GAP,
  END_OF_CANCELLED,
  END_OF_LOST_WRITER,
  encodeEnd,
} from '../../../src/streams/redis/stored-end.js'
import { COMPLETE } from '../../helpers/stored-streams.js'

test('an end comes back as it was; no end is none', (t) => {
  t.same(decodeEnd(encodeEnd(COMPLETE)), { end: COMPLETE, beyond: 0 })
  t.equal(decodeEnd(''), null)
  t.end()
})

test('an end in place of the writer is an error, beyond all that it may have sent', (t) => {
  const outcomes = [END_OF_LOST_WRITER, END_AT_GAP, END_OF_CANCELLED].map((text) => {
    const { end, beyond = 0 } = decodeEnd(text) ?? { end: COMPLETE }
    t.not(end.error, null)
    t.ok(beyond > 100_000)
    return end.outcome
  })
  t.same(outcomes, ['upstream_cut', 'upstream_cut', 'client_gone'])
  t.end()
})
