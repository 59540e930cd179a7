// The simulator's vectors, on three wires.
import { test } from 'tap'
import { vectorOf } from '../../../src/simulator/endpoints/embeddings.js'
import { post, startSimulator } from '../../helpers/simulator.js'

test('a vector follows from its text alone, and has length 1', (t) => {
  t.same(vectorOf('a', 5), vectorOf('a', 5))
  t.notSame(vectorOf('a', 5), vectorOf('b', 5))
  t.ok(Math.abs(Math.hypot(...vectorOf('river', null)) - 1) < 1e-6)
  t.same(
    [null, 3, 0, 1e9].map((wanted) => vectorOf('a', wanted).length),
    [8, 3, 1, 4096],
  )
  t.end()
})

test('each wire has its own request and answer, with the same vectors', async (t) => {
  const { origin } = await startSimulator(t)
  const vector = vectorOf('a', 3)
  const openai = { model: 'm', input: ['a', [1, 2]], dimensions: 3 }
  t.match((await post(`${origin}/v1/embeddings`, openai)).json, {
    data: [{ index: 0, embedding: vector }, { index: 1 }],
    usage: { total_tokens: 2 },
  })
  const one = { content: { parts: [{ text: 'a' }] }, outputDimensionality: 3 }
  const batch = await post(`${origin}/v1beta/models/m:batchEmbedContents`, { requests: [one, one] })
  t.match(batch.json, { embeddings: [{ values: vector }, { values: vector }] })
  t.match((await post(`${origin}/v1beta/models/m:embedContent`, one)).json, { embedding: { values: vector } })
  const ollama = await post(`${origin}/api/embed`, { model: 'm:latest', input: 'a', dimensions: 3 })
  t.match(ollama.json, { model: 'm', embeddings: [vector], prompt_eval_count: 1 })
})

test('faults and keys are those of the wire', async (t) => {
  const { origin } = await startSimulator(t, { requireKey: 'k' })
  t.equal((await post(`${origin}/api/embed`, { model: 'm', input: 'a' })).status, 401)
  const asked = { model: 'm+fault=status,503,7', input: 'a' }
  const failed = await post(`${origin}/v1/embeddings`, asked, { authorization: 'Bearer k' })
  t.match(failed, { status: 503, json: { error: { message: 'Simulated failure.' } } })
  const unknown = await post(
    `${origin}/v1/embeddings`,
    { model: 'm+fault=x', input: 'a' },
    { authorization: 'Bearer k' },
  )
  t.match(unknown, { status: 400, json: { error: { message: 'Unknown fault: x' } } })
})
