// Whatever a model says, the official client of an API reads our stream of it as the answer that it is: drawn events through our
// encoder, then through the client's own parsers, which throw at a missing frame, a changed id, or an event of the wrong item.
import fc from 'fast-check'
import OpenAI from 'openai'
import { test } from 'tap'
import { type Citation } from '../../src/model/citation.js'
import { type BlockHead, type StreamEvent } from '../../src/model/event.js'
import { isJsonObject, type JsonObject } from '../../src/model/json.js'
import { PROTOCOLS } from '../../src/protocols/index.js'

const RUNS = Number(process.env.FUZZ_RUNS ?? 10_000) / 25
const META = { id: 'up-1', model: 'm', createdSec: 1_700_000_000, usage: null }
const TOOLS: OpenAI.Responses.Tool[] = [
  { type: 'function', name: 'plain', parameters: { type: 'object', properties: {} }, strict: false },
  { type: 'custom', name: 'patch' },
  {
    type: 'namespace',
    name: 'files',
    description: '',
    tools: [{ type: 'function', name: 'read', parameters: null, strict: false }],
  },
  { type: 'tool_search', execution: 'client' },
]

const text = fc.string({
  unit: fc.constantFrom('a', '"', '\\', 'é', '🌊', '\n', '\u2028', '{', '}', ' '),
  maxLength: 8,
})
const name = fc.constantFrom('plain', 'patch', 'files__read', 'tool_search', 'unheard_of')
const head: fc.Arbitrary<BlockHead> = fc.oneof(
  fc.constant({ kind: 'text' as const }),
  fc.constant({ kind: 'refusal' as const }),
  fc.record({ kind: fc.constant('reasoning' as const), redacted: fc.option(text) }),
  fc.record({ kind: fc.constant('tool-call' as const), id: text, name }),
)
const source: fc.Arbitrary<Citation> = fc.record({
  kind: fc.constant('citation' as const),
  url: fc.constantFrom('https://a', 'https://b'),
  title: fc.option(text),
  citedText: fc.constant(null),
  span: fc.constantFrom(null, { start: 0, end: 1 }),
  own: fc.constant(null),
})
const block = fc.record({
  head,
  deltas: fc.array(text, { maxLength: 4 }),
  sources: fc.array(source, { maxLength: 2 }),
  signature: fc.option(text),
})
const answers = fc.record({
  blocks: fc.array(block, { maxLength: 5 }),
  reason: fc.constantFrom('stop' as const, 'length' as const, 'tool-calls' as const, 'content-filter' as const),
})
type Answer = typeof answers extends fc.Arbitrary<infer T> ? T : never

function eventsOf({ blocks, reason }: Answer): StreamEvent[] {
  const inner = blocks.flatMap(({ head, deltas, sources, signature }, index): StreamEvent[] => [
    { type: 'block-start', index, block: head },
    ...deltas.map((delta) => ({ type: 'block-delta' as const, index, delta })),
    ...(head.kind === 'text' ? sources : []).map((citation) => ({ type: 'citation' as const, index, citation })),
    { type: 'block-end', index, signature },
  ])
  const finish = { type: 'finish', reason, usage: null, stopSequence: null } as const
  return [{ type: 'start', meta: META }, ...inner, finish]
}

const surface = PROTOCOLS.find(({ id }) => id === 'openai-responses')?.surface
if (!surface) throw new Error('no such surface')

/** Our stream of an answer to a request with these tools. */
function streamOf(answer: Answer): string {
  let sent = ''
  const echo = surface?.readEcho?.({ model: 'm', input: 'x', tools: TOOLS as unknown as JsonObject[] }) ?? null
  const emit = (frame: string): void => {
    sent += frame
  }
  const encoder = surface?.createEncoder(emit, { includeUsage: true, echo })
  for (const event of eventsOf(answer)) encoder?.push(event)
  return sent
}

function clientOf(body: string): OpenAI {
  const headers = { 'content-type': 'text/event-stream' }
  return new OpenAI({ apiKey: 'k', maxRetries: 0, fetch: async () => new Response(body, { headers }) })
}

function textOf({ content }: OpenAI.Responses.ResponseOutputMessage): string {
  return content.map((part) => (part.type === 'output_text' ? part.text : part.refusal)).join('')
}

/** The items of our last event. */
function finalItems(sent: string): unknown {
  const last: unknown = JSON.parse(sent.slice(sent.lastIndexOf('data: ') + 'data: '.length))
  return isJsonObject(last) && isJsonObject(last.response) ? last.response.output : null
}

test('the Responses client’s stream helper reads any of our streams as its last event says', async (t) => {
  const property = fc.asyncProperty(answers, async (answer) => {
    const sent = streamOf(answer)
    const snapshots = new Map<number, string>()
    const stream = clientOf(sent).responses.stream({ model: 'm', input: 'x', tools: TOOLS })
    stream.on('response.output_text.delta', (event) => snapshots.set(event.output_index, event.snapshot))
    stream.on('response.refusal.delta', (event) => {
      snapshots.set(event.output_index, (snapshots.get(event.output_index) ?? '') + event.delta)
    })
    stream.on('response.function_call_arguments.delta', (event) => snapshots.set(event.output_index, event.snapshot))
    const { output, output_text: whole } = await stream.finalResponse()
    for (const [place, item] of output.entries()) {
      const text = item.type === 'function_call' ? item.arguments : item.type === 'message' ? textOf(item) : ''
      if ((snapshots.get(place) ?? '') !== text)
        throw new Error(`its deltas add up to ${snapshots.get(place)}, not ${text}`)
    }
    const plain = JSON.parse(JSON.stringify(output), (key, value) => (/^parsed/.test(key) ? undefined : value))
    const said = answer.blocks.map(({ head, deltas }) => (head.kind === 'text' ? deltas.join('') : '')).join('')
    if (whole !== said) throw new Error(`it reads ${JSON.stringify(whole)}, not ${JSON.stringify(said)}`)
    return JSON.stringify(plain) === JSON.stringify(finalItems(sent))
  })
  await fc.assert(property, { numRuns: RUNS })
  t.ok(RUNS > 0)
})
