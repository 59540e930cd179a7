// What providers say of a cap on the output that is too large for their models, in their own words.
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { type ContextOverflow } from '../../../src/model/error.js'
import { readRefusedCap } from '../../../src/pipeline/spending/refused-cap.js'
import { decodeError } from '../../../src/protocols/openai-error.js'

const SENT = 16_384

function refused(message: string, { status = 400, param = null as string | null, sent = SENT } = {}) {
  return readRefusedCap(errorData('upstream_rejected', { message, status, upstreamStatus: status, param }), sent)
}

test('the most that a model writes is read from the words of its provider', (t) => {
  const said: readonly (readonly [message: string, most: number])[] = [
    [
      'max_tokens is too large: 16384. This model supports at most 4096 completion tokens, whereas you provided 16384.',
      4096,
    ],
    ['max_tokens: 16384 > 4096, which is the maximum allowed number of output tokens for claude-3-opus-20240229', 4096],
    ['Invalid max_tokens value, the valid range of max_tokens is [1, 8192]', 8192],
    ['Range of max_tokens should be [1, 8,192]', 8192],
    [
      '`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less than the window',
      8192,
    ],
    ['has a maxOutputTokens value of 16384 but the supported range is from 1 (inclusive) to 8193 (exclusive).', 8192],
    ['The maximum tokens you requested exceeds the model limit of 4096 for gpt-4-0613.', 4096],
    ['max_output_tokens: integer above maximum value. Expected a value <= 10000, but got 16384 instead.', 10_000],
  ]
  for (const [message, most] of said) t.same(refused(message), { modelMost: most, context: null, next: most }, message)
  t.end()
})

test('what holds for one form of request alone is no limit of the model', (t) => {
  const told = refused('Requests with max_tokens > 4096 must have stream=true')
  t.same(told, { modelMost: null, context: null, next: 4096 })
  t.end()
})

test('a provider that does not say what it accepts gets half', (t) => {
  t.same(refused('is too large', { param: 'max_tokens', status: 422 }), {
    ...{ modelMost: null, context: null, next: 8192 },
  })
  t.same(refused('max_tokens: 16384 is too large (request 17)'), { modelMost: null, context: null, next: 8192 })
  t.equal(refused('max_tokens is too large', { sent: 300 }), null, 'but not next to nothing')
  t.end()
})

test('a refusal for another reason is none of a cap that is too large', (t) => {
  for (const message of [
    'The model does not exist.',
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    'max_tokens must be greater than thinking.budget_tokens',
    "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 12 instead.",
  ]) {
    t.equal(refused(message), null, message)
  }
  t.equal(refused('max_tokens is too large', { status: 500 }), null)
  t.equal(readRefusedCap(errorData('rate_limited', { message: 'max_tokens' }), SENT), null)
  t.end()
})

test('a context that is too small for the cap is one of the model, and leaves what the input leaves', (t) => {
  const read = (overflow: ContextOverflow | null) =>
    readRefusedCap(errorData('context_length_exceeded', overflow === null ? {} : { overflow }), SENT)
  t.same(read({ inputTokens: 16, outputTokens: SENT, maxTokens: 8192 }), {
    ...{ modelMost: null, context: 8192, next: 8176 },
  })
  t.equal(read({ inputTokens: 9000, outputTokens: SENT, maxTokens: 8192 }), null, 'the input alone is too long')
  t.equal(read(null), null)
  const vllm =
    "'max_tokens' or 'max_completion_tokens' is too large: 16384. This model's maximum context length is 4096 tokens " +
    'and your request has 20 input tokens (16384 > 4096 - 20).'
  const error = decodeError(400, Buffer.from(JSON.stringify({ error: { message: vllm } })))
  t.same(readRefusedCap(error, SENT), { modelMost: null, context: 4096, next: 4076 })
  t.end()
})
