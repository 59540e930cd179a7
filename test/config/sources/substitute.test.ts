// Substitution: references, defaults, escapes, and what is missing.
import { test } from 'tap'
import { pathKey, substitute } from '../../../src/config/sources/substitute.js'
import { type Problem, ProblemList, renderProblem } from '../../../src/config/validate/problem.js'

function run(tree: unknown, variables: Readonly<Record<string, string>> = {}) {
  const problems = new ProblemList(() => ({ line: null, origin: null }))
  const result = substitute(tree, variables, problems)
  let message = ''
  try {
    problems.throwIfAny()
  } catch (error) {
    message = error instanceof Error ? error.message : ''
  }
  return { ...result, message }
}

test('references are replaced anywhere in a string, in lists and maps', (t) => {
  const { tree, substituted, message } = run(
    { a: ['x-${A}-${B}'], b: { c: '${A}' }, n: 1, z: null },
    { A: '1', B: '2' },
  )
  t.same(tree, { a: ['x-1-2'], b: { c: '1' }, n: 1, z: null })
  t.equal(message, '')
  t.ok(substituted.has(pathKey(['b', 'c'])))
  t.notOk(substituted.has(pathKey(['n'])))
  t.end()
})

test('a default replaces a missing or empty variable', (t) => {
  t.same(run({ a: '${A:-x}', b: '${B:-}', c: '${C:-y}' }, { B: 'b', C: '' }).tree, { a: 'x', b: 'b', c: 'y' })
  t.end()
})

test('two dollars make a plain one, and a lone dollar is text', (t) => {
  t.same(run({ a: '$${A} $5 $' }, { A: 'no' }).tree, { a: '${A} $5 $' })
  t.end()
})

test('a value from a variable is not looked through again', (t) => {
  t.same(run({ a: '${A}' }, { A: '${B}', B: 'no' }).tree, { a: '${B}' })
  t.end()
})

test('a missing variable is a problem with path and name', (t) => {
  t.equal(run({ metrics: { token: 'a ${NOPE}' } }).message, 'metrics.token: environment variable NOPE is not set')
  t.end()
})

test('a missing variable in a provider key is reported separately: that provider is not configured', (t) => {
  const { missingKeys, message } = run({ providers: { p: { apiKey: '${NOPE}' } } })
  t.same(missingKeys, [{ path: ['providers', 'p', 'apiKey'], variable: 'NOPE' }])
  t.equal(message, '')
  t.end()
})

test('a broken reference, a dangerous name and a bottomless file are problems', (t) => {
  t.match(run({ a: '${not closed' }).message, /^a: contains \$\{ without a variable name/)
  t.match(run({ a: '${1}' }).message, /^a: contains/)
  t.equal(run(JSON.parse('{"a":{"__proto__":{"x":1}}}')).message, 'a.__proto__: is not an allowed name')
  let deep: unknown = 1
  for (let i = 0; i < 200; i++) deep = [deep]
  t.match(run(deep).message, /nested too deeply/)
  t.equal(({} as { x?: number }).x, undefined)
  t.end()
})

test('no value is printed', (t) => {
  const told: Problem = {
    path: ['a'],
    reason: run({ a: 'sk-secret ${NOPE}' }).message,
    line: 1,
    origin: null,
    suggestion: null,
  }
  t.notMatch(renderProblem(told), /sk-secret/)
  t.end()
})
