// Keys as the screens say them, and fields as the API takes them.
import { test } from 'tap'
import {
  keyState,
  limitsText,
  localTime,
  readCount,
  readList,
  readLocalTime,
} from '../../../src/console/keys/key-record.js'

test('limits and states are words', async (t) => {
  const none = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }
  t.equal(limitsText(none), 'none')
  t.equal(
    limitsText({ requestsPerMinute: 6000, tokensPerMinute: 1, concurrency: 5 }),
    '6,000 requests/min, 1 tokens/min, 5 at once',
  )
  const at = '2026-11-29T16:00:00.000Z'
  t.equal(keyState({ disabled: false, expiresAt: null }, 0), 'active')
  t.equal(keyState({ disabled: false, expiresAt: at }, Date.parse(at) - 1), 'active')
  t.equal(keyState({ disabled: false, expiresAt: at }, Date.parse(at)), 'expired')
  t.equal(keyState({ disabled: true, expiresAt: at }, Date.parse(at)), 'disabled')
})

test('fields are read as they are meant', async (t) => {
  t.same(readList(' gpt*, fast\nsmart ,'), ['gpt*', 'fast', 'smart'])
  t.same(readList(' '), [])
  t.same([readCount(''), readCount(' 60 ')], [null, 60])
  t.equal(readLocalTime(''), null)
  const iso = readLocalTime('2026-12-01T08:30')
  t.equal(localTime(iso), '2026-12-01T08:30')
  t.equal(localTime(null), '')
})
