// A session needs both of its secrets, ends by itself, and there is room for so many.
import { test } from 'tap'
import { SESSION_MS, Sessions } from '../../src/admin/sessions.js'

test('cookie and token of one session find the key that opened it, nothing less does', async (t) => {
  const sessions = new Sessions(() => 0)
  const a = sessions.open('digest-a')
  const b = sessions.open('digest-b')
  t.equal(sessions.find(a), 'digest-a')
  t.equal(sessions.find(b), 'digest-b')
  for (const wrong of [
    { ...a, token: b.token },
    { ...a, token: '' },
    { ...a, cookie: b.cookie },
    { ...a, cookie: '' },
    { cookie: a.token, token: a.cookie },
  ]) {
    t.equal(sessions.find(wrong), null)
  }
  t.match(a, { cookie: /^[\w-]{43}$/, token: /^[\w-]{43}$/ })
})

test('a session ends when it is ended, and after its time', async (t) => {
  let nowMs = 0
  const sessions = new Sessions(() => nowMs)
  const [a, b] = [sessions.open('a'), sessions.open('b')]
  sessions.end(a.cookie)
  sessions.end(a.cookie)
  t.equal(sessions.find(a), null)
  nowMs = SESSION_MS - 1
  t.equal(sessions.find(b), 'b')
  nowMs = SESSION_MS
  t.equal(sessions.find(b), null)
})

test('sessions of a key that is removed do not come back with it', async (t) => {
  const sessions = new Sessions(() => 0)
  const [gone, other] = [sessions.open('gone'), sessions.open('other')]
  sessions.endExcept((keySha256) => keySha256 === 'other')
  sessions.endExcept(() => true)
  t.equal(sessions.find(gone), null)
  t.equal(sessions.find(other), 'other')
})

test('the oldest makes room', async (t) => {
  const sessions = new Sessions(() => 0)
  const first = sessions.open('first')
  const second = sessions.open('second')
  for (let i = 0; i < 999; i++) sessions.open('other')
  t.equal(sessions.find(first), null)
  t.equal(sessions.find(second), 'second')
})
