// What a terminal or a layout would obey is visible text.
import { test } from 'tap'
import { visibleText } from '../../src/console/visible-text.js'

test('controls become signs, and everything else stays as it is', async (t) => {
  t.equal(visibleText('\u001b[31mred\u001b[0m\u0007\u0000'), '\\x1b[31mred\\x1b[0m\\x07\\x00')
  t.equal(visibleText('a\u007f\u009bb'), 'a\\x7f\\x9bb')
  const plain = 'Ein Fluß 🏞 <img src=x onerror=alert(1)>\n\tעברית'
  t.equal(visibleText(plain), plain)
})

test('marks that turn the direction around are shown by their number, line ends are one sign', async (t) => {
  t.equal(visibleText('pay\u202egnp.exe\u2066'), 'pay\\u202egnp.exe\\u2066')
  t.equal(visibleText('a\u061cb\u200f'), 'a\\u061cb\\u200f')
  t.equal(visibleText('a\r\nb\rc'), 'a\nb\\x0dc')
})
