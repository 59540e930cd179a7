// One prompt, and a model that may be left out.
import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { decodeRequest, readFacts } from '../../../src/protocols/prompt-stream/request.js'
import { refusalOf } from '../../helpers/limiter-setup.js'

test('a prompt becomes one turn of the user’s, always streamed', async (t) => {
  t.match(readFacts({ model: 'gpt-4o', prompt: 'Hi' }), { model: 'gpt-4o', stream: true, includeUsage: true })
  t.match(decodeRequest({ model: 'gpt-4o', prompt: 'Hi', temperature: 1, stream: false }), {
    model: 'gpt-4o',
    stream: true,
    system: [],
    messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
    extensions: { temperature: 1, stream: false },
  })
})

test('without a model the gateway’s default is meant', async (t) => {
  for (const model of [undefined, null, '']) {
    const body = { prompt: 'Hi', ...(model === undefined ? {} : { model }) }
    t.equal(readFacts(body).model, '')
    t.equal(decodeRequest(body).model, '')
  }
})

test('a wrong body is refused with the field at fault', async (t) => {
  const rows: readonly (readonly [JsonObject, string, string])[] = [
    [{}, 'prompt', 'No prompt provided'],
    [{ model: 'm', prompt: '' }, 'prompt', 'No prompt provided'],
    [{ model: 'm', prompt: null }, 'prompt', 'No prompt provided'],
    [{ prompt: ['Hi'] }, 'prompt', "'prompt' must be a string."],
    [{ prompt: 'Hi', model: 4 }, 'model', "'model' must be a string of at most 256 characters."],
    [{ prompt: 'Hi', model: 'm'.repeat(257) }, 'model', "'model' must be a string of at most 256 characters."],
  ]
  for (const [body, param, message] of rows) {
    t.match(
      refusalOf(() => readFacts(body)),
      { code: 'invalid_request', param, message },
    )
  }
})
