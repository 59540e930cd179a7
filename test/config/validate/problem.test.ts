// Problems: their wording, the nearest name, and that no value is ever told.
import { test } from 'tap'
import { misconfigured, nearestName, ProblemList, renderProblem } from '../../../src/config/validate/problem.js'

const NOWHERE = { line: null, origin: null }

test('a problem names path, reason, line and the nearest name', (t) => {
  const problem = { path: ['server', 'prot'], reason: 'unknown option', line: 3, origin: null, suggestion: 'port' }
  t.equal(renderProblem(problem), 'server.prot: unknown option (line 3); did you mean "port"?')
  t.end()
})

test('a value that came from a variable names the variable instead of a line', (t) => {
  const problem = { path: ['server', 'port'], reason: 'is wrong', line: 3, origin: 'PORT', suggestion: null }
  t.equal(renderProblem(problem), 'server.port: is wrong (from PORT)')
  t.end()
})

test('names in a path are shortened and kept on one line', (t) => {
  const shown = renderProblem({ path: ['x'.repeat(100), 'a\nb'], reason: 'r', ...NOWHERE, suggestion: null })
  t.equal(shown, `${'x'.repeat(64)}....a?b: r`)
  t.end()
})

test('the nearest name is found over case, swaps and omissions, and nothing far off is', (t) => {
  t.equal(nearestName('prot', ['host', 'port', 'threads']), 'port')
  t.equal(nearestName('MaxBodybytes', ['maxBodyBytes']), 'maxBodyBytes')
  t.equal(nearestName('requestPerMinute', ['requestsPerMinute', 'tokensPerMinute']), 'requestsPerMinute')
  t.equal(nearestName('zebra', ['host', 'port']), null)
  t.equal(nearestName('x', []), null)
  t.end()
})

test('all problems are one misconfigured error, one line each', (t) => {
  const problems = new ProblemList(() => NOWHERE)
  t.doesNotThrow(() => problems.throwIfAny())
  problems.add(['a'], 'first')
  problems.add(['a'], 'what follows from the first')
  problems.add(['b'], 'second')
  t.equal(problems.length, 2)
  t.throws(() => problems.throwIfAny(), { data: { code: 'misconfigured' }, message: 'a: first\nb: second' })
  t.equal(misconfigured([{ path: [], reason: 'all of it', ...NOWHERE, suggestion: null }]).message, 'all of it')
  t.end()
})
