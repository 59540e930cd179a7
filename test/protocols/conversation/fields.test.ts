// Members of a body by type and range.
import { test } from 'tap'
import { type JsonObject, type JsonValue } from '../../../src/model/json.js'
import {
  readHistory,
  readModelName,
  readNumber,
  readOptionalText,
  readStream,
  readText,
} from '../../../src/protocols/conversation/fields.js'
import { refusalOf } from '../../helpers/limiter-setup.js'

const RULE = { minimum: 0, maximum: 2, byDefault: 0.75 }

test('absent and null are the default', async (t) => {
  for (const value of [undefined, null]) {
    const body: JsonObject = value === undefined ? {} : { x: value, stream: value, historical_messages: value }
    t.equal(readOptionalText(body, 'x'), null)
    t.equal(readStream(body), true)
    t.equal(readNumber(body, 'x', RULE), 0.75)
    t.strictSame(readHistory(body), [])
  }
  t.equal(readStream({ stream: false }), false)
  t.equal(readNumber({ x: 0 }, 'x', RULE), 0)
})

test('what does not fit is refused with the member’s path', async (t) => {
  const rows: readonly (readonly [() => unknown, string, string])[] = [
    [() => readText({}, 'x'), 'x', "'x' is required."],
    [() => readText({ x: '' }, 'x'), 'x', "'x' is required."],
    [() => readText({ x: 1 }, 'x'), 'x', "'x' must be a string."],
    [
      () => readModelName({ model_name: 'm'.repeat(257) }),
      'model_name',
      "'model_name' must have at most 256 characters.",
    ],
    [() => readStream({ stream: 'no' }), 'stream', "'stream' must be a boolean."],
    [() => readNumber({ x: 2.1 }, 'x', RULE), 'x', "'x' must be a number from 0 to 2."],
    [() => readNumber({ x: '1' }, 'x', RULE), 'x', "'x' must be a number from 0 to 2."],
    [() => readNumber({ x: 0.5 }, 'x', { ...RULE, isInteger: true }), 'x', "'x' must be an integer from 0 to 2."],
  ]
  for (const [read, param, message] of rows) t.match(refusalOf(read), { code: 'invalid_request', param, message })
})

test('history comes as turns or as pairs, in its order', async (t) => {
  const text = (role: string, said: string) => ({ role, content: [{ type: 'text', text: said }] })
  const turns = [
    { role: 'user', content: 'a' },
    { role: 'assistant', content: 'b' },
    { user: 'c', assistant: 'd' },
    { user: 'e', assistant: null },
  ]
  t.strictSame(readHistory({ historical_messages: turns }), [
    ...[text('user', 'a'), text('assistant', 'b'), text('user', 'c'), text('assistant', 'd'), text('user', 'e')],
  ])
  const wrong: readonly (readonly [JsonValue, string])[] = [
    ['x', 'historical_messages'],
    [['x'], 'historical_messages.0'],
    [[{}], 'historical_messages.0'],
    [[{ role: 'system', content: 'x' }], 'historical_messages.0.role'],
    [[{ role: 'user' }], 'historical_messages.0.content'],
    [[{ user: 'x' }, { assistant: 1 }], 'historical_messages.1.assistant'],
  ]
  for (const [history, param] of wrong) {
    t.equal(refusalOf(() => readHistory({ historical_messages: history }))?.param, param)
  }
})
