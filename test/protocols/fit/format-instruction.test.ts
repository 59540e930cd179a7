// What a model is told of the form of its answer, and when.
import { test } from 'tap'
import { formatInstruction, instructFormat } from '../../../src/protocols/fit/format-instruction.js'
import { request } from '../../helpers/targets.js'

test('the instruction says JSON, and holds the schema where there is one', async (t) => {
  t.match(formatInstruction(null), /JSON object and nothing else/)
  t.notMatch(formatInstruction(null), /Schema/)
  t.ok(formatInstruction({ type: 'object' }).endsWith('{"type":"object"}'))
})

test('it stands behind the system text of the client', async (t) => {
  const system = [{ type: 'text' as const, text: 'a' }]
  const { system: told } = instructFormat(request({ system, responseFormat: { type: 'json' } }))
  t.strictSame(told, [...system, { type: 'text', text: formatInstruction(null) }])
})

test('a request for text, or for nothing, is the same object', async (t) => {
  for (const responseFormat of [null, { type: 'text' } as const]) {
    const asked = request({ responseFormat })
    t.equal(instructFormat(asked), asked)
  }
})
