// The simulated models, without any wire: what they say, how they end and what they count.
import { test } from 'tap'
import { piecesOf, tokensOf } from '../../src/simulator/lorem.js'
import { MODELS, perform, personaOf, type SimRequest } from '../../src/simulator/persona.js'

const OPTIONS = { defaultTokens: 10, seed: 0 }

function request(special: Partial<SimRequest>): SimRequest {
  return {
    model: 'echo',
    stream: true,
    includeUsage: true,
    promptBytes: 9,
    lastUserText: 'a b c',
    toolResults: null,
    tools: [],
    mustCall: false,
    maxTokens: null,
    stop: [],
    schema: null,
    ...special,
  }
}

test('knows its models by name and by prefix', (t) => {
  t.equal(personaOf('echo'), 'echo')
  t.equal(personaOf('lorem-500'), 'lorem')
  t.equal(personaOf('echo:7b'), 'echo')
  t.equal(personaOf('echoes'), null)
  for (const name of MODELS) t.equal(personaOf(name), name)
  t.equal(personaOf(''), null)
  t.end()
})

test('the same request gives the same performance, another seed other words', (t) => {
  const lorem = request({ model: 'lorem' })
  t.same(perform(lorem, OPTIONS), perform(lorem, OPTIONS))
  t.not(perform(lorem, OPTIONS).text.join(''), perform(lorem, { ...OPTIONS, seed: 3 }).text.join(''))
  t.end()
})

test('counts input by bytes and output by tokens', (t) => {
  t.same(perform(request({}), OPTIONS).usage, { input: 3, output: 3, reasoning: 0 })
  t.same(perform(request({ model: 'reason', maxTokens: 16 }), OPTIONS).usage, { input: 3, output: 16, reasoning: 15 })
  t.end()
})

test('ends as the limits say', (t) => {
  const finish = (special: Partial<SimRequest>) => perform(request(special), OPTIONS).finish
  t.equal(finish({}), 'stop')
  t.equal(finish({ maxTokens: 3 }), 'stop')
  t.equal(finish({ maxTokens: 2 }), 'length')
  t.equal(finish({ maxTokens: 0 }), 'length')
  t.equal(finish({ stop: ['x'] }), 'stop')
  t.equal(finish({ stop: ['c', 'b'] }), 'stop-sequence')
  t.equal(finish({ stop: ['c'], maxTokens: 1 }), 'length')
  t.equal(finish({ model: 'lorem', maxTokens: 4 }), 'length')
  t.equal(finish({ model: 'lorem-max', maxTokens: 4 }), 'length')
  t.equal(finish({ model: 'lorem-max', maxTokens: 4, stop: ['sit'] }), 'stop-sequence')
  t.equal(finish({ model: 'lorem' }), 'stop')
  t.end()
})

test('the earliest stop sequence wins, even across tokens', (t) => {
  const { text, stopSequence } = perform(request({ stop: ['c', 'a b', ' b'] }), OPTIONS)
  t.same([text.join(''), stopSequence], ['', 'a b'])
  t.end()
})

test('a cap is a ceiling and no length, except where the name of the model says so', (t) => {
  const length = (model: string, maxTokens: number | null) =>
    perform(request({ model, maxTokens }), OPTIONS).text.length
  t.same(
    ['lorem', 'lorem-20', 'lorem-max'].map((model) => [null, 3, 16_384].map((cap) => length(model, cap))),
    [
      [10, 3, 10],
      [20, 3, 20],
      [10, 3, 16_384],
    ],
  )
  t.end()
})

test('lorem never makes more than a bounded number of tokens', (t) => {
  t.equal(perform(request({ model: 'lorem-99999999' }), OPTIONS).text.length, 1_000_000)
  t.end()
})

test('a tool whose schema is no object is called with an empty object', (t) => {
  const tools = [{ name: 'x', schema: { type: 'string' } }]
  t.same(perform(request({ model: 'tools', tools }), OPTIONS).calls, [{ name: 'x', args: {}, pieces: ['{}'] }])
  t.end()
})

test('tokens and pieces joined are the text again', (t) => {
  for (const text of ['', ' ', 'a', ' a  b\n\nc ', '日本語 text', '😀😀😀😀😀😀😀😀😀😀']) {
    t.equal(tokensOf(text).join(''), text)
    t.equal(piecesOf(text, 3).join(''), text)
    for (const piece of piecesOf(text, 3)) t.doesNotThrow(() => encodeURIComponent(piece))
  }
  t.end()
})

test('a call that is demanded is made by every model, until it has the results', (t) => {
  const tools = [{ name: 'f', schema: { type: 'object', required: ['a'], properties: { a: { type: 'string' } } } }]
  for (const model of MODELS) {
    const { calls, finish, text } = perform(request({ model, tools, mustCall: true }), OPTIONS)
    t.match({ calls, finish }, { calls: [{ name: 'f', args: { a: 'text' } }], finish: 'tool-calls' }, model)
    t.equal(text.length, 0)
    t.same(perform(request({ model, tools, mustCall: true, toolResults: ['x'] }), OPTIONS).calls, [])
    t.same(perform(request({ model, mustCall: true }), OPTIONS).calls, [])
  }
  t.same(perform(request({ tools }), OPTIONS).calls, [])
  t.end()
})
