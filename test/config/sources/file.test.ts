// Configuration text: YAML and JSON, lines of values, syntax errors without their text.
import { test } from 'tap'
import { parseConfigText } from '../../../src/config/sources/file.js'

test('YAML and JSON are read alike', (t) => {
  t.same(parseConfigText('server:\n  port: 1\n').tree, { server: { port: 1 } })
  t.same(parseConfigText('{"server":{"port":1}}').tree, { server: { port: 1 } })
  t.equal(parseConfigText('').tree, null)
  t.end()
})

test('a value knows its line, and a missing one the line of what holds it', (t) => {
  const text = parseConfigText(
    '# one\nserver:\n  port: 1\nkeys:\n  - name: a\n  - name: b\n    limits: {\n      x: 1 }\n',
  )
  t.equal(text.lineOf(['server', 'port']), 3)
  t.equal(text.lineOf(['server', 'host']), 2)
  t.equal(text.lineOf(['keys', 1, 'name']), 6)
  t.equal(text.lineOf(['keys', 1, 'limits', 'x']), 8)
  t.equal(text.lineOf(['keys', 9]), 4)
  t.equal(text.lineOf(['nothing']), 2)
  t.equal(parseConfigText('').lineOf(['a']), null)
  t.end()
})

test('a syntax error names its kind and line, and quotes nothing of the text', (t) => {
  const { problems, tree } = parseConfigText('server:\n  port: 1\nkeys: [ "sk-secret\n')
  t.equal(tree, null)
  t.ok(problems.length > 0)
  t.match(problems[0]?.reason, /^syntax error: /)
  t.type(problems[0]?.line, 'number')
  t.notMatch(JSON.stringify(problems), /secret/)
  t.end()
})

test('a key given twice is an error with its line', (t) => {
  const { problems } = parseConfigText('server:\n  port: 1\n  port: 2\n')
  t.match(problems, [{ reason: 'syntax error: duplicate key', line: 3 }])
  t.end()
})

test('merge keys work, and aliases that blow up or lead nowhere are refused', (t) => {
  t.same(parseConfigText('a: &x { p: 1 }\nb:\n  <<: *x\n').tree, { a: { p: 1 }, b: { p: 1 } })
  const bomb = `a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [${'*a,'.repeat(9)}1]\nc: &c [${'*b,'.repeat(9)}1]\nd: [${'*c,'.repeat(9)}1]\n`
  t.match(parseConfigText(bomb).problems, [{ reason: /aliases/ }])
  const lost = parseConfigText('a: *sksecret\n')
  t.equal(lost.problems.length, 1)
  t.notMatch(JSON.stringify(lost.problems), /sksecret/)
  t.end()
})
