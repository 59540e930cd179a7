// Whatever a model answers with reaches the clients of every API, streamed and whole: no kind of part is lost without a word.
import { test } from 'tap'
import { type Citation } from '../../src/model/citation.js'
import { type BlockHead, type RefusalDetails } from '../../src/model/event.js'
import { eventsOf } from '../../src/model/replay.js'
import { type ChatRequest, type Message, NO_SAMPLING } from '../../src/model/request.js'
import { type AnswerPart, type ChatResponse } from '../../src/model/response.js'
import { type Surface } from '../../src/protocols/contract/protocol.js'
import { fitAnswer } from '../../src/protocols/fit/answer.js'
import { MADE_IMAGE_STAND_IN, MADE_IMAGES } from '../../src/protocols/fit/content.js'
import { PROTOCOLS } from '../../src/protocols/index.js'
import { fakeTarget } from '../helpers/fake-protocol.js'
import { FALLBACK } from '../helpers/protocol-fixtures.js'

const REQUEST: ChatRequest = {
  model: 'm',
  stream: false,
  includeUsage: false,
  system: [],
  messages: [],
  tools: [],
  toolChoice: null,
  parallelToolCalls: null,
  responseFormat: null,
  reasoning: null,
  sampling: NO_SAMPLING,
  user: null,
  extensions: {},
}

/** In what every kind of part holds. */
const MARK = 'Zaunkoenig'

type CommonKind = Exclude<BlockHead['kind'], 'image' | 'opaque'>

const PARTS: Readonly<Record<CommonKind, AnswerPart>> = {
  text: { type: 'text', text: MARK },
  refusal: { type: 'refusal', text: MARK },
  reasoning: { type: 'reasoning', text: MARK, signature: null, redacted: null },
  'tool-call': { type: 'tool-call', id: 'call_1', name: MARK, arguments: '{}', signature: null },
}

/** Surfaces whose documented form has the text of the model and nothing else. */
const TEXT_ONLY: ReadonlySet<string> = new Set(['prompt-stream', 'prompt-stream-events', 'provider-chat'])
/** Has no calls: its requests have no tools. */
const WITHOUT_CALLS: ReadonlySet<string> = new Set(['ollama-chat-generate'])

const cite = (url: string | null): Citation => ({
  kind: 'citation',
  url,
  title: MARK,
  citedText: MARK,
  span: null,
  own: { wire: 'another', value: {} },
})

/** Parts that not every form has a place for; each with its name where it is left out. */
const RARE_PARTS: readonly (readonly [name: string, part: AnswerPart])[] = [
  ['citations', { type: 'text', text: 'x', citations: [cite('https://example.org')] }],
  ['citations', { type: 'text', text: 'x', citations: [cite(null)] }],
  ['images', { type: 'made-image', source: { kind: 'base64', mediaType: 'image/png', base64: MARK } }],
  ['images', { type: 'made-image', source: { kind: 'url', url: `https://example.org/${MARK}` } }],
  ...['openai-responses', 'anthropic-messages', 'google-gemini', 'another'].map(
    (wire) => ['search', { type: 'opaque', wire, name: 'search', value: { type: 'search', word: MARK } }] as const,
  ),
]

const surfaces = PROTOCOLS.flatMap(({ surface }) =>
  surface === null || surface.upstreamFrames !== undefined ? [] : [surface],
)

function isCarried(surface: Surface, kind: CommonKind): boolean {
  if (kind === 'text' || kind === 'refusal') return true
  return !TEXT_ONLY.has(surface.id) && !(kind === 'tool-call' && WITHOUT_CALLS.has(surface.id))
}

function answer(content: readonly AnswerPart[], refusal?: RefusalDetails): ChatResponse {
  const finishReason = refusal === undefined ? 'stop' : 'content-filter'
  const details = refusal === undefined ? {} : { refusal }
  return { meta: FALLBACK, content, finishReason, stopSequence: null, usage: null, ...details }
}

function streamOf(surface: Surface, response: ChatResponse): string {
  let sent = ''
  const encoder = surface.createEncoder(
    (frame) => {
      sent += frame
    },
    { includeUsage: true },
  )
  for (const event of eventsOf(response)) encoder.push(event)
  return sent
}

function wholeOf(surface: Surface, response: ChatResponse): string {
  return JSON.stringify(surface.encodeResponse(response, fakeTarget('openai-chat')))
}

test('every kind of part reaches every client', async (t) => {
  t.ok(surfaces.length >= 10, `${surfaces.length} surfaces`)
  for (const surface of surfaces) {
    for (const [kind, part] of Object.entries(PARTS) as [CommonKind, AnswerPart][]) {
      if (!isCarried(surface, kind)) continue
      t.match(streamOf(surface, answer([part])), MARK, `${surface.id}: ${kind} in a stream`)
      if (surface.framing !== 'json') t.match(wholeOf(surface, answer([part])), MARK, `${surface.id}: ${kind} whole`)
    }
  }
})

test('a part that not every API has reaches the client, or its name does', async (t) => {
  const found = new Set<string>()
  for (const surface of surfaces) {
    for (const [i, [name, part]] of RARE_PARTS.entries()) {
      const { response, dropped } = fitAnswer(answer([part]), surface.hasPlaceFor)
      const isNamed = dropped.includes(name)
      found.add(`${i} ${isNamed}`)
      t.equal(streamOf(surface, response).includes(MARK), !isNamed, `${surface.id}: ${name} ${i} in a stream`)
      if (!isNamed && surface.framing !== 'json') t.match(wholeOf(surface, response), MARK, `${surface.id}: ${i} whole`)
      // Without the rule it would be lost without a word: no encoder writes what its surface has no place for. What is opaque, it cannot tell.
      if (isNamed && part.type !== 'opaque')
        t.notMatch(streamOf(surface, answer([part])), MARK, `${surface.id}: ${name} ${i} has a place`)
    }
  }
  t.ok(found.has('0 false') && found.has('0 true') && found.has('1 true'), [...found].join())
})

/** Wires with a place for a provider's words about its refusal. */
const EXPLAINED: ReadonlySet<string> = new Set([
  ...['openai-chat', 'openai-responses', 'anthropic-messages', 'google-gemini', 'google-gemini-array'],
  ...['conversation', 'conversation-chat', 'conversation-extended'],
])

test('a provider’s words about its refusal reach every client whose API has a place for them', async (t) => {
  const refused = answer([], { category: 'SAFETY', explanation: MARK })
  const found = surfaces.filter((surface) => streamOf(surface, refused).includes(MARK)).map(({ id }) => id)
  t.same(new Set(found), EXPLAINED)
  const whole = surfaces.filter((surface) => wholeOf(surface, refused).includes(MARK)).map(({ id }) => id)
  t.same(new Set(whole), new Set([...EXPLAINED]))
})

test('an image that a model made earlier reaches a model of its kind; for all others a line stands for it, and it is named', async (t) => {
  const image = { type: 'made-image', source: { kind: 'base64', mediaType: 'image/png', base64: MARK } } as const
  const byUrl = { type: 'made-image', source: { kind: 'url', url: `https://example.org/${MARK}.png` } } as const
  for (const { id, dialect } of PROTOCOLS) {
    if (dialect === null) continue
    for (const part of [image, byUrl]) {
      const messages: Message[] = [
        { role: 'user', content: [{ type: 'text', text: 'Draw.' }] },
        { role: 'assistant', content: [part] },
        { role: 'user', content: [{ type: 'text', text: 'Again.' }] },
      ]
      const { body, dropped } = dialect.encodeRequest({ ...REQUEST, messages }, fakeTarget(id))
      const isNamed = dropped.includes(MADE_IMAGES)
      t.equal(JSON.stringify(body).includes(MARK), !isNamed, id)
      t.equal(JSON.stringify(body).includes(MADE_IMAGE_STAND_IN), isNamed, id)
    }
  }
})
