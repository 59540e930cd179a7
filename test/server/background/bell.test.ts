import { test } from 'tap'
import { Bell } from '../../../src/server/background/bell.js'

test('rings once for all who wait for this answer, and not for those who have left', (t) => {
  const bell = new Bell()
  const woken: string[] = []
  bell.wait('a', () => woken.push('a1'))
  bell.wait('a', () => woken.push('a2'))
  bell.wait('b', () => woken.push('b'))()
  bell.ring('b')
  bell.ring('a')
  bell.ring('a')
  t.same(woken, ['a1', 'a2'])
  const leave = bell.wait('a', () => woken.push('a3'))
  bell.wait('a', () => woken.push('a4'))
  leave()
  bell.ring('a')
  t.same(woken, ['a1', 'a2', 'a4'])
  t.end()
})
