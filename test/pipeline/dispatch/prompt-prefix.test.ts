// What makes two requests the same to affinity, and what does not.
import { test } from 'tap'
import { hashPrefix } from '../../../src/pipeline/dispatch/prompt-prefix.js'
import { Exchange } from '../../../src/pipeline/exchange.js'
import { scanMembers } from '../../../src/wire/body/members.js'
import { PipelineRig } from '../../helpers/pipeline.js'
import { ANTHROPIC, OPENAI, surfaceOf, type Wire } from '../../helpers/pipeline-wires.js'

function hash(body: object, surface: Wire = OPENAI, keyIndex = 0): number {
  const bytes = new Uint8Array(Buffer.from(JSON.stringify(body)))
  const request = {
    requestId: 'r',
    surface: surfaceOf(surface),
    key: { index: keyIndex, name: null, owner: null },
    body: bytes,
    parameterHeaders: {},
    acceptedAtMs: 0,
  }
  const rig = new PipelineRig()
  const exchange = new Exchange(request, { transport: 'json' } as never, rig.parts, () => {})
  return hashPrefix(exchange, scanMembers(bytes) ?? [])
}

const SYSTEM = { role: 'system', content: 'You are {brief} and "kind".' }
const FIRST = { role: 'user', content: 'Hi {there}' }
const LATER = [
  { role: 'assistant', content: 'Yes?' },
  { role: 'user', content: 'More' },
]

test('later turns and parameters change nothing', async (t) => {
  const first = hash({ model: 'm', messages: [SYSTEM, FIRST] })
  t.equal(hash({ model: 'm', messages: [SYSTEM, FIRST, ...LATER], temperature: 1 }), first)
  t.equal(hash({ max_tokens: 7, messages: [SYSTEM, FIRST, LATER[0]], model: 'other' }), first)
})

test('system prompt, tools, first words of the user and the key do', async (t) => {
  const tools = [{ type: 'function', function: { name: 'f' } }]
  const hashes = [
    hash({ messages: [SYSTEM, FIRST] }),
    hash({ messages: [{ ...SYSTEM, content: 'You are long.' }, FIRST] }),
    hash({ messages: [SYSTEM, { ...FIRST, content: 'Ho' }] }),
    hash({ messages: [FIRST] }),
    hash({ messages: [SYSTEM, FIRST], tools }),
    hash({ messages: [SYSTEM, FIRST] }, OPENAI, 1),
    hash({ messages: [FIRST], system: 'You are.' }, ANTHROPIC),
    hash({ messages: [FIRST], system: [{ type: 'text', text: 'You were.' }] }, ANTHROPIC),
  ]
  t.equal(new Set(hashes).size, hashes.length)
})

test('every prompt has a hash, and a long one is hashed by its beginning', async (t) => {
  for (const messages of [[], 'text', null, {}, [[]], [{ role: 5 }], [{ role: 'assistant' }]]) {
    t.type(hash({ messages }), 'number')
  }
  const long = (end: string) => hash({ messages: [{ role: 'user', content: `${'x'.repeat(5000)}${end}` }] })
  t.equal(long('a'), long('b'))
})
