import { test } from 'tap'
import { csvOf } from '../../../src/admin/http/csv.js'

test('cells are quoted where they must be, and no text is taken for a formula', (t) => {
  const texts = ['plain', 'a,b', 'say "hi"', 'two\nlines', '=1+1', '+1', '-1', '@SUM(A1)', '\tx', '=a,"b"', '']
  const lines = ['plain,"a,b","say ""hi""","two\nlines",\'=1+1,\'+1,\'-1,\'@SUM(A1),\'\tx,"\'=a,""b""",', '-5,0.25,']
  t.equal(csvOf(texts.map((_, i) => `c${i}`).slice(0, 3), []), 'c0,c1,c2\r\n')
  t.equal(csvOf(['x'], [texts, [-5, 0.25, null]]), `x\r\n${lines.join('\r\n')}\r\n`)
  t.equal(csvOf(['x'], [['\n=1', '＝1+1', '＠A']]), `x\r\n"'\n=1",'＝1+1,'＠A\r\n`)
  t.end()
})
