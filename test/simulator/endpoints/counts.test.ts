// Counts of three wires.
import { test } from 'tap'
import { post, startSimulator } from '../../helpers/simulator.js'

test('each wire counts the text of its own request', async (t) => {
  const { origin } = await startSimulator(t)
  const messages = [{ role: 'user', content: 'r'.repeat(400) }]
  const counted = await post(`${origin}/v1/messages/count_tokens`, { model: 'm', messages })
  t.ok(Number(counted.json.input_tokens) > 100 && Number(counted.json.input_tokens) < 150)
  const capped = await post(`${origin}/v1/messages/count_tokens`, { model: 'm', messages, max_tokens: 5 })
  t.match(capped, { status: 400, json: { error: { message: 'max_tokens: Extra inputs are not permitted' } } })
  const responses = await post(`${origin}/v1/responses/input_tokens`, { model: 'm', input: 'hi' })
  t.match(responses.json, { object: 'response.input_tokens', input_tokens: Number })
  const gemini = await post(`${origin}/v1beta/models/m:countTokens`, { contents: [] })
  t.match(gemini.json, { totalTokens: Number })
})
