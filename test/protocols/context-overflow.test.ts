// A request that is too long for a model: each vendor's words, and what clients of each API are told of them.
import { test } from 'tap'
import { errorData } from '../../src/errors.js'
import { type ContextOverflow } from '../../src/model/error.js'
import { readOverflow } from '../../src/protocols/context-overflow.js'
import { PROTOCOLS } from '../../src/protocols/index.js'

const of = (inputTokens: number, outputTokens: number, maxTokens: number): ContextOverflow => ({
  inputTokens,
  outputTokens,
  maxTokens,
})
const openai = (message: string, rest: object = {}) => ({ error: { message, type: 'invalid_request_error', ...rest } })

/** Status, body, and the figures in it. */
const ROWS: readonly (readonly [wire: string, status: number, body: object, overflow: ContextOverflow | null])[] = [
  [
    'openai-chat',
    400,
    openai("This model's maximum context length is 128000 tokens. However, your messages resulted in 130,123 tokens.", {
      code: 'context_length_exceeded',
    }),
    of(130_123, 0, 128_000),
  ],
  [
    'openai-chat',
    400,
    openai(
      "This model's maximum context length is 128000 tokens. However, you requested 140000 tokens (120000 in the messages, 20000 in the completion). Please reduce the length.",
      { code: 'context_length_exceeded' },
    ),
    of(120_000, 20_000, 128_000),
  ],
  [
    'openai-chat',
    400,
    openai(
      "This model's maximum context length is 4096 tokens. However, you requested 1000 output tokens and your prompt contains at least 3097 input tokens, for a total of at least 4097 tokens.",
    ),
    of(3097, 1000, 4096),
  ],
  [
    'openai-chat',
    400,
    openai(
      "This endpoint's maximum context length is 131072 tokens. However, you requested about 200035 tokens (199935 of text input, 100 in the output).",
    ),
    of(199_935, 100, 131_072),
  ],
  [
    'openai-chat',
    400,
    openai("This model's maximum prompt length is 131072 but the request contains 140000 tokens."),
    of(140_000, 0, 131_072),
  ],
  [
    'openai-chat',
    400,
    openai('Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length'),
    of(40_000, 0, 32_768),
  ],
  [
    'openai-chat',
    400,
    openai('the request exceeds the available context size, try increasing it', {
      type: 'exceed_context_size_error',
      n_prompt_tokens: 5000,
      n_ctx: 4096,
    }),
    of(5000, 0, 4096),
  ],
  ['openai-chat', 413, openai('The context window is exceeded.'), null],
  [
    'google-gemini',
    400,
    {
      error: {
        code: 400,
        message: 'The input token count (1196265) exceeds the maximum number of tokens allowed (1048576).',
        status: 'INVALID_ARGUMENT',
      },
    },
    of(1_196_265, 0, 1_048_576),
  ],
  [
    'ollama-chat',
    400,
    { error: 'request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it' },
    of(5000, 0, 4096),
  ],
  ['ollama-chat', 400, { error: 'the input length exceeds the context length' }, null],
  [
    'anthropic-messages',
    400,
    {
      type: 'error',
      error: { type: 'invalid_request_error', message: 'prompt is too long: 208310 tokens > 200000 maximum' },
    },
    of(208_310, 0, 200_000),
  ],
  [
    'anthropic-messages',
    400,
    {
      type: 'error',
      error: {
        type: 'invalid_request_error',
        message:
          'input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input length or `max_tokens` and try again',
      },
    },
    of(190_000, 20_000, 200_000),
  ],
]

function decode(wire: string, status: number, body: object) {
  const dialect = PROTOCOLS.find(({ id }) => id === wire)?.dialect
  if (dialect === null || dialect === undefined) throw new Error(`no dialect ${wire}`)
  return dialect.decodeError(status, Buffer.from(JSON.stringify(body)))
}

function encode(surface: string, error: Parameters<typeof errorData>[1] & object) {
  const found = PROTOCOLS.find(({ id }) => id === surface)?.surface
  if (found === null || found === undefined) throw new Error(`no surface ${surface}`)
  return found.encodeError(errorData('context_length_exceeded', error), 'req-1')
}

test('each vendor’s words give the figures that they hold', async (t) => {
  for (const [wire, status, body, overflow] of ROWS) {
    const error = decode(wire, status, body)
    t.equal(error.code, 'context_length_exceeded', JSON.stringify(body))
    t.strictSame(error.overflow ?? null, overflow, JSON.stringify(body))
  }
})

test('Anthropic clients get their vendor’s wording whichever provider refused; OpenAI clients get its code', async (t) => {
  for (const [wire, status, body, overflow] of ROWS) {
    const error = decode(wire, status, body)
    const told = encode('anthropic-messages', error)
    t.equal(told.status, 400)
    const { type, message } = (told.body as { error: { type: string; message: string } }).error
    t.equal(type, 'invalid_request_error')
    const expected =
      overflow === null
        ? `prompt is too long: ${error.message}`
        : overflow.inputTokens > overflow.maxTokens
          ? `prompt is too long: ${overflow.inputTokens} tokens > ${overflow.maxTokens} maximum`
          : `input length and \`max_tokens\` exceed context limit: ${overflow.inputTokens} + ${overflow.outputTokens} > ${overflow.maxTokens}, decrease input length or \`max_tokens\` and try again`
    t.equal(message, expected, wire)
    const other = encode('openai-chat', error)
    t.match(other.body, { error: { code: 'context_length_exceeded', type: 'invalid_request_error' } }, wire)
  }
})

test('figures that show no overflow are not reported as one', async (t) => {
  for (const overflow of [of(10, 0, 4096), of(10, 20, 4096)]) {
    const { body } = encode('anthropic-messages', { message: 'Too long.', overflow })
    t.match(body, { error: { message: 'prompt is too long: Too long.' } })
  }
  const { body } = encode('anthropic-messages', {})
  t.match(body, { error: { message: /^prompt is too long: The request exceeds/ } })
  const own = encode('anthropic-messages', { message: 'prompt is too long' })
  t.match(own.body, { error: { message: /^prompt is too long$/ } }, 'its own words are not said twice')
})

test('a figure without the other, or of an impossible size, is ignored', async (t) => {
  const words = { max: [/max ([\d,]+)/], input: [/in ([\d,]+)/] }
  t.strictSame(readOverflow('in 5,000 max 4,096', words), of(5000, 0, 4096))
  for (const text of ['in 5', 'max 5', '', `in 5 max ${'9'.repeat(16)}`, 'in , max 5']) {
    t.equal(readOverflow(text, words), null, text)
  }
})
