// Same protocol on both sides: nothing is changed that need not be.
import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import { type Target } from '../../../../src/model/target.js'
import { formatInstruction } from '../../../../src/protocols/fit/format-instruction.js'
import { editRequest, editsBulk } from '../../../../src/protocols/openai-chat/dialect/edit-request.js'
import { readFacts } from '../../../../src/protocols/openai-chat/surface/decode-request.js'
import { thrownBy } from '../../../helpers/thrown.js'
import { cases, readJson, targetWith } from '../recordings.js'

function edit(body: JsonObject, target: Target = targetWith({}, { model: 'm' })) {
  const { edits, dropped } = editRequest(readFacts(body), body, target)
  return { edits: Object.fromEntries(edits), dropped }
}

const hi = (rest: JsonObject = {}): JsonObject => ({ model: 'm', messages: [{ role: 'user', content: 'hi' }], ...rest })
const quirky = (quirks: Parameters<typeof targetWith>[0], extraBody: JsonObject = {}) =>
  targetWith(quirks, { model: 'm', extraBody })

test('every recorded request passes untouched to a vendor of the full wire', (t) => {
  for (const name of cases('requests')) {
    const body = readJson(`requests/${name}.json`)
    t.strictSame(edit(body, targetWith({}, { model: String(body.model) })), { edits: {}, dropped: [] }, name)
  }
  t.end()
})

test('model and our own routing field', (t) => {
  t.strictSame(edit(hi({ provider: 'groq' }), targetWith()).edits, { model: 'upstream-model', provider: undefined })
  t.strictSame(edit(hi({ provider: { order: ['x'] } })).edits, {})
  t.end()
})

test('usage is asked for on a stream that did not, beside its other options', (t) => {
  const body = hi({ stream: true, stream_options: { include_obfuscation: false } })
  t.strictSame(edit(body).edits, { stream_options: { include_obfuscation: false, include_usage: true } })
  t.strictSame(edit(hi({ stream: true })).edits, { stream_options: { include_usage: true } })
  t.strictSame(edit(hi({ stream: true }), quirky({ streamOptions: false })).edits, {})
  t.end()
})

test('a stream is asked for where the route says so and the body does not', (t) => {
  const whole = { ...readFacts(hi()), stream: true, includeUsage: true }
  t.strictSame(Object.fromEntries(editRequest(whole, hi(), quirky({})).edits), { stream: true })
  t.strictSame(Object.fromEntries(editRequest(whole, hi({ stream: false }), quirky({})).edits), { stream: true })
  t.end()
})

test('the output cap is renamed where the vendor knows only the other name', (t) => {
  const older = quirky({ maxTokensField: 'max_tokens' })
  t.strictSame(edit(hi({ max_completion_tokens: 5, max_tokens: 4 }), older).edits, {
    max_tokens: 5,
    max_completion_tokens: undefined,
  })
  t.strictSame(edit(hi({ max_tokens: 4 }), older).edits, {})
  const newer = quirky({ refusedFields: ['max_tokens'] })
  t.strictSame(edit(hi({ max_tokens: 4 }), newer), {
    edits: { max_completion_tokens: 4, max_tokens: undefined },
    dropped: [],
  })
  t.strictSame(edit(hi({ max_tokens: 4, max_completion_tokens: 5 }), newer).edits, { max_tokens: undefined })
  t.strictSame(edit(hi({ max_tokens: 4 })).edits, {})
  t.end()
})

test('refused fields go, and are named only if they said something', (t) => {
  const target = quirky({ refusedFields: ['seed', 'store', 'logprobs'] })
  t.strictSame(edit(hi({ seed: 1, store: null }), target), {
    edits: { seed: undefined, store: undefined },
    dropped: ['seed'],
  })
  t.end()
})

test('temperature is clamped', (t) => {
  t.strictSame(edit(hi({ temperature: 1.7 }), quirky({ maxTemperature: 1 })).edits, { temperature: 1 })
  t.strictSame(edit(hi({ temperature: 0.7 }), quirky({ maxTemperature: 1 })).edits, {})
  t.end()
})

test('schema output is narrowed or dropped, and named; the schema goes into the instructions', (t) => {
  const body = readJson('requests/json-schema.json')
  const schema = { type: 'object' }
  const format = { type: 'json_schema', json_schema: { name: 'n', schema } }
  const told = { role: 'system', content: formatInstruction(schema) }
  const system = { role: 'developer', content: 'd' }
  const user = { role: 'user', content: 'u' }
  const sent = (messages: JsonObject[]) =>
    edit(hi({ messages, response_format: format }), quirky({ jsonSchema: 'json-object' })).edits.messages
  t.strictSame(sent([system, user]), [system, told, user])
  t.strictSame(sent([system]), [system, told])
  const model = String(body.model)
  const narrowed = edit(body, targetWith({ jsonSchema: 'json-object' }, { model }))
  t.match(narrowed, { edits: { response_format: { type: 'json_object' } }, dropped: ['response_format'] })
  const dropped = edit(body, targetWith({ jsonSchema: 'none' }, { model }))
  t.match(dropped, { edits: { response_format: undefined, messages: [{ role: 'system' }, {}] } })
  t.strictSame(dropped.dropped, ['response_format'])
  t.end()
})

test('developer turns and images by URL are rewritten only for vendors without them', (t) => {
  const image = { type: 'image_url', image_url: { url: 'https://x/y.png' } }
  const standIn = { type: 'text', text: '[image omitted: this model cannot read it]' }
  const embedded = { type: 'image_url', image_url: { url: 'data:image/png;base64,QQ==' } }
  const messages = [
    { role: 'developer', content: 'd' },
    {
      role: 'user',
      content: [{ type: 'text', text: 'a' }, image, embedded, { type: 'image_url', image_url: 'https://z' }],
    },
    { role: 'user', content: [embedded] },
  ]
  t.strictSame(edit(hi({ messages }), quirky({ developerRole: false, imageUrls: false })), {
    edits: {
      messages: [
        { role: 'system', content: 'd' },
        {
          role: 'user',
          content: [{ type: 'text', text: 'a' }, standIn, embedded, standIn],
        },
        messages[2],
      ],
    },
    dropped: ['image_url'],
  })
  t.strictSame(
    edit(hi({ messages: [messages[2] ?? {}] }), quirky({ developerRole: false, imageUrls: false })).edits,
    {},
  )
  t.end()
})

test('an image by URL in the newest turn is refused by its path where the vendor takes none', (t) => {
  const image = { type: 'image_url', image_url: { url: 'https://x/y.png' } }
  const messages = [{ role: 'user', content: [{ type: 'text', text: 'a' }, image] }]
  t.match(
    thrownBy(() => edit(hi({ messages }), quirky({ imageUrls: false }))),
    { code: 'invalid_request', param: 'messages.0.content.1', message: /send its bytes in base64/ },
  )
  const answer = { role: 'tool', tool_call_id: 'c', content: 'done' }
  const step = edit(hi({ messages: [answer, ...messages] }), quirky({ imageUrls: false }))
  t.strictSame(step.dropped, ['image_url'], 'behind tool results it is part of an agent’s step')
  const begun = edit(hi({ messages: [{ role: 'assistant', content: [image] }] }), quirky({ imageUrls: false }))
  t.strictSame(begun.dropped, ['image_url'], 'what is no turn of the user’s is not refused')
  t.end()
})

test('a model that is known not to think is not asked to', (t) => {
  const target = targetWith({}, { model: 'm', thinks: false })
  t.strictSame(edit(hi({ reasoning_effort: 'low' }), target), {
    edits: { reasoning_effort: undefined },
    dropped: ['reasoning_effort'],
  })
  t.strictSame(edit(hi({ reasoning: { max_tokens: 9 } }), target).dropped, ['reasoning'])
  t.strictSame(edit(hi(), target), { edits: {}, dropped: [] })
  t.end()
})

test('reasoning is asked for in the way the vendor knows', (t) => {
  const effort = hi({ reasoning_effort: 'low' })
  t.strictSame(edit(effort, quirky({ reasoningRequest: 'reasoning' })).edits, {
    reasoning: { effort: 'low' },
    reasoning_effort: undefined,
  })
  t.strictSame(edit(effort, quirky({ reasoningRequest: 'none' })), {
    edits: { reasoning_effort: undefined },
    dropped: ['reasoning_effort'],
  })
  const given = (reasoning: JsonObject, rest: JsonObject = {}) => edit(hi({ reasoning, ...rest })).edits
  t.strictSame(given({ max_tokens: 9000 }), { reasoning_effort: 'high', reasoning: undefined })
  t.strictSame(given({ effort: 'low' }), { reasoning_effort: 'low', reasoning: undefined })
  t.strictSame(given({ enabled: false }), { reasoning_effort: 'none', reasoning: undefined })
  t.strictSame(given({ exclude: true }, { reasoning_effort: 'high' }), { reasoning: undefined })
  const router = quirky({ reasoningRequest: 'reasoning' })
  t.strictSame(edit(hi({ reasoning: { effort: 'low' } }), router).edits, {})
  t.end()
})

test('fields of the configuration fill in what the client left out', (t) => {
  t.strictSame(edit(hi({ top_p: 0.5 }), quirky({}, { top_p: 0.1, safe_prompt: true })).edits, { safe_prompt: true })
  t.end()
})

test('reasoning of earlier turns is taken out for a vendor that refuses it', (t) => {
  const body = readJson('requests/reasoning.json')
  const at = targetWith({ refusedFields: ['reasoning_content'] }, { model: String(body.model) })
  const { edits, dropped } = edit(body, at)
  t.strictSame(edits, {
    messages: [
      { role: 'user', content: '9.11 or 9.8?' },
      { role: 'assistant', content: '9.8' },
      { role: 'user', content: 'Sure?' },
    ],
  })
  t.strictSame(dropped, ['messages.reasoning'])
  t.end()
})

test("a signature that another protocol's vendor made is taken out of a call, this wire's own passes", (t) => {
  const call = { id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }
  const signed = (signature: string) => ({ ...call, extra_content: { google: { thought_signature: signature } } })
  const bodyOf = (calls: JsonObject[]) => hi({ messages: [{ role: 'assistant', tool_calls: calls }] })
  const foreign = edit(bodyOf([call, signed('google-gemini:CuQC')]))
  t.strictSame(foreign, { edits: { messages: [{ role: 'assistant', tool_calls: [call, call] }] }, dropped: [] })
  t.strictSame(edit(bodyOf([call, signed('CuQC+/==')])).edits, {})
  t.end()
})

test('a default cap on the output yields to the client’s, under either of its names', (t) => {
  const capped = (extraBody: JsonObject) => targetWith({}, { model: 'm', extraBody })
  t.strictSame(edit(hi(), capped({ max_tokens: 9, seed: 1 })).edits, { max_tokens: 9, seed: 1 })
  t.strictSame(edit(hi({ max_completion_tokens: 5 }), capped({ max_tokens: 9, seed: 1 })).edits, { seed: 1 })
  t.strictSame(edit(hi({ max_tokens: 5 }), capped({ max_completion_tokens: 9 })).edits, {})
  t.end()
})

test('a file of the shared account is refused, one of the caller’s own account passes', async (t) => {
  const content = [{ type: 'file', file: { file_id: 'file-1' } }]
  const body = hi({ messages: [{ role: 'user', content }] })
  t.match(
    thrownBy(() => edit(body)),
    { code: 'invalid_request', param: 'messages.0.content.0.file.file_id' },
  )
  const own = { ...readFacts(body), isOwnAccount: true } as const
  t.same([...editRequest(own, body, targetWith({}, { model: 'm' })).edits], [])
  t.ok(
    editsBulk({}, targetWith({}), (name) => name === 'file_id'),
    'so a large body is read where it names one',
  )
})
