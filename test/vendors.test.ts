// Every vendor's profile with a recording in the form of its documents: what the dialect and the quirks of the profile make of it,
// cut at every byte, and what a client of that API gets when the frames pass through.
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'tap'
import { type Message } from '../src/model/request.js'
import { type Target } from '../src/model/target.js'
import { type Usage } from '../src/model/usage.js'
import { FRAME_END, FRAME_FAILED } from '../src/protocols/contract/protocol.js'
import { CATALOG } from './config/sources.js'
import { aggregate } from './helpers/aggregate.js'
import { DIALECTS, decodeChunks, FALLBACK, scanPayloads } from './helpers/protocol-fixtures.js'
import { request } from './helpers/targets.js'

const FOLDER = new URL('../../test/fixtures/vendors/', import.meta.url)

/** What must come out of a recording; tokens as [input, output, cached, reasoning]. */
type Row = {
  readonly text?: string
  readonly reasoning?: string
  readonly tokens: readonly [number, number, number, number] | null
}

const TEXT = 'The river is wide.'
const THOUGHT = 'A short answer.'

const ROWS: Readonly<Record<string, Row>> = {
  baseten: { reasoning: THOUGHT, tokens: [13, 15, 0, 0] },
  bedrock: { text: `<reasoning>A short answer.</reasoning>${TEXT}`, tokens: [72, 19, 0, 0] },
  cerebras: { reasoning: THOUGHT, tokens: [78, 18, 0, 9] },
  cloudflare: { tokens: [38, 6, 0, 0] },
  cohere: { tokens: null },
  huggingface: { tokens: [41, 6, 0, 0] },
  minimax: { text: `<think>\nA short answer.\n</think>\n\n${TEXT}`, tokens: [50, 21, 0, 8] },
  moonshot: { reasoning: THOUGHT, tokens: [19, 14, 4, 0] },
  nvidia: { tokens: [22, 6, 0, 0] },
  perplexity: { tokens: [1210, 24, 0, 0] },
  qwen: { reasoning: THOUGHT, tokens: [14, 13, 0, 5] },
  sambanova: { tokens: [43, 6, 0, 0] },
  vercel: { reasoning: THOUGHT, tokens: [40, 22, 0, 7] },
  zhipu: { reasoning: THOUGHT, tokens: [17, 15, 2, 0] },
}

/** Recorded below the folder of their API, where the laws find them, or not different from it in any byte. */
const RECORDED_ELSEWHERE = [
  ...['anthropic', 'azure-openai', 'deepseek', 'fireworks', 'google', 'groq', 'llama.cpp', 'lmstudio', 'mistral'],
  ...['ollama', 'openai', 'openrouter', 'sim', 'together', 'vertex', 'vllm', 'xai'],
]

test('every profile has a recording', async (t) => {
  const recorded = readdirSync(FOLDER).map((file) => file.replace(/\.\w+$/, ''))
  t.same(recorded.sort(), Object.keys(ROWS).sort(), 'each recording has its row')
  t.same([...recorded, ...RECORDED_ELSEWHERE].sort(), CATALOG.profiles.map(({ name }) => name).sort())
})

function targetOf(name: string): Target {
  const profile = CATALOG.profiles.find((each) => each.name === name)
  if (profile === undefined) throw new Error(`no profile ${name}`)
  const { protocol } = profile
  const defaults = CATALOG.protocols[protocol]
  if (defaults === undefined) throw new Error(`no protocol ${protocol}`)
  return { provider: name, protocol, model: 'm-1', quirks: { ...defaults.quirks, ...profile.quirks }, extraBody: {} }
}

function tokensOf({ inputTokens, outputTokens, cachedInputTokens, reasoningTokens }: Usage): readonly number[] {
  return [inputTokens, outputTokens, cachedInputTokens, reasoningTokens]
}

for (const [name, row] of Object.entries(ROWS)) {
  const target = targetOf(name)
  const dialect = DIALECTS.find(({ id }) => id === target.protocol)
  if (dialect === undefined) throw new Error(`no dialect ${target.protocol}`)
  const stream = readFileSync(new URL(`${name}.sse`, FOLDER))

  test(`${name}: its stream is decoded as its profile says, wherever it is cut`, async (t) => {
    const whole = decodeChunks(dialect, target, [stream])
    const { content, finishReason, usage } = aggregate(whole, FALLBACK)
    const said = (type: string) =>
      content.map((part) => (part.type === type && 'text' in part ? part.text : '')).join('')
    t.equal(said('text'), row.text ?? TEXT)
    t.equal(said('reasoning'), row.reasoning ?? '')
    t.equal(finishReason, 'stop')
    t.same(usage === null || usage === 'implausible' ? usage : tokensOf(usage), row.tokens)
    for (let at = 1; at < stream.length; at++) {
      const events = decodeChunks(dialect, target, [stream.subarray(0, at), stream.subarray(at)])
      if (JSON.stringify(events) !== JSON.stringify(whole)) t.fail(`cut at ${at}`)
    }
  })

  if (row.reasoning !== undefined && target.protocol === 'openai-chat') {
    test(`${name}: the reasoning of earlier turns goes back in the member it came in`, async (t) => {
      const member = stream.includes('"reasoning":') ? 'reasoning' : 'reasoning_content'
      const thought = { type: 'reasoning', text: THOUGHT, signature: null, redacted: null } as const
      const messages: Message[] = [
        { role: 'user', content: [{ type: 'text', text: 'How wide?' }] },
        { role: 'assistant', content: [thought, { type: 'text', text: TEXT }] },
        { role: 'user', content: [{ type: 'text', text: 'And deep?' }] },
      ]
      const { body } = dialect.encodeRequest(request({ messages }), target)
      t.match(body.messages, [
        { role: 'user' },
        { role: 'assistant', content: TEXT, [member]: THOUGHT },
        { role: 'user' },
      ])
    })
  }

  test(`${name}: its stream passes through whole, and its usage is seen`, async (t) => {
    const observer = dialect.createObserver({ stripUsage: false, target })
    const bits = scanPayloads(dialect.framing, [stream]).map((payload) =>
      observer.observe(Buffer.from(payload, 'latin1')),
    )
    t.notOk(bits.some((each) => (each & FRAME_FAILED) !== 0))
    t.equal(bits.filter((each) => (each & FRAME_END) !== 0).length, 1)
    t.ok(observer.isComplete())
    const { usage } = observer
    t.same(usage === null || usage === 'implausible' ? usage : tokensOf(usage), row.tokens)
  })
}
