// The table in bench/README.md is written by the bench; the words around it are not.
import { test } from 'tap'
import { between } from '../../bench/report.js'
import { readText } from '../helpers/source-tree.js'

test('replaces what stands between the markers of bench/README.md and nothing else', async (t) => {
  const before = readText('bench/README.md')
  const once = between(before, '| a table |\n')
  t.match(once, /begin -->\n\n\| a table \|\n\n<!-- end -->/)
  t.equal(between(once, '| a table |\n'), once)
  const around = (text: string) => text.replace(/begin -->[\s\S]*?<!-- end -->/, '')
  t.equal(around(once), around(before))
  t.throws(() => between('no markers', ''), /no markers/)
})
