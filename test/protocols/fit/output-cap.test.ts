// Caps are only ever lowered, on every wire, whether the body passes or is translated.
import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { createCodec } from '../../../src/protocols/contract/codec.js'
import { type EncodeTask } from '../../../src/protocols/contract/request-task.js'
import {
  edited,
  editWithin,
  limitOf,
  lowered,
  loweredThinking,
  tooSmall,
} from '../../../src/protocols/fit/output-cap.js'
import { PROTOCOLS } from '../../../src/protocols/index.js'
import { fakeTarget } from '../../helpers/fake-protocol.js'
import { DIALECTS } from '../../helpers/pipeline-wires.js'

const CODEC = createCodec(PROTOCOLS)
const TEXT = 'Hi there'
/** A request of each wire with a cap of 900, and where its cap is afterwards. */
const REQUESTS: Readonly<Record<string, JsonObject>> = {
  'openai-chat': { model: 'm', max_tokens: 900, messages: [{ role: 'user', content: TEXT }] },
  'openai-responses': { model: 'm', max_output_tokens: 900, input: TEXT },
  'anthropic-messages': { model: 'm', max_tokens: 900, messages: [{ role: 'user', content: TEXT }] },
  'google-gemini': {
    model: 'm',
    contents: [{ role: 'user', parts: [{ text: TEXT }] }],
    generationConfig: { maxOutputTokens: 900 },
  },
  'ollama-chat': { model: 'm', messages: [{ role: 'user', content: TEXT }], options: { num_predict: 900 } },
}

function capIn(body: JsonObject): unknown {
  const { generationConfig, options } = body as Record<string, JsonObject>
  return (
    body.max_tokens ??
    body.max_completion_tokens ??
    body.max_output_tokens ??
    generationConfig?.maxOutputTokens ??
    options?.num_predict
  )
}

function encoded(from: string, to: string, outputCap: number | null): JsonObject {
  const text = JSON.stringify(REQUESTS[from])
  const decoded = CODEC.decodeBody(from, new Uint8Array(Buffer.from(text)))
  const task = {
    ...{ surfaceId: from, body: new Uint8Array(Buffer.from(text)), json: decoded.json, head: null },
    ...{ facts: decoded.facts, members: decoded.members, target: { ...fakeTarget(to), model: 'm' }, prompt: null },
    ...{ outputCap, upstreamStream: decoded.facts.stream },
  }
  return JSON.parse(Buffer.from(CODEC.encodeBody(task).body).toString()) as JsonObject
}

test('the lower of two caps counts', (t) => {
  t.equal(lowered(100, 50), 50)
  t.equal(lowered(50, 50), null)
  t.equal(lowered(undefined, 50), 50)
  t.equal(lowered('100', 50), 50)
  t.equal(lowered(-2, 50), 50)
  t.equal(lowered(0, 50, 0), null)
  t.end()
})

test('thinking leaves half of the cap to the answer where it does not fit below it', (t) => {
  t.equal(loweredThinking(50, 50), 25)
  t.equal(loweredThinking(49, 50), null)
  t.equal(loweredThinking(undefined, 50), null)
  t.end()
})

test('a body is seen with its edits, and is not changed', (t) => {
  const body = { a: 1, b: 2 }
  t.same(
    edited(
      body,
      new Map([
        ['a', 3],
        ['b', undefined],
      ]),
    ),
    { a: 3 },
  )
  t.same(body, { a: 1, b: 2 })
  t.equal(edited(body, new Map()), body)
  t.match(tooSmall(12).data, { code: 'budget_exceeded', message: /12 tokens/ })
  t.end()
})

test('every wire sends the lower cap, passed or translated, and its own without one', (t) => {
  const wires = Object.keys(REQUESTS)
  t.same(wires.sort(), [...DIALECTS.keys()].sort(), 'all wires')
  for (const from of wires) {
    for (const to of wires) {
      t.equal(capIn(encoded(from, to, 50)), 50, `${from} to ${to}`)
      t.equal(capIn(encoded(from, to, 5000)), 900, `${from} to ${to}, never raised`)
      t.equal(capIn(encoded(from, to, null)), 900, `${from} to ${to}, none to send`)
    }
  }
  t.end()
})

test('a default of the target is lowered as well', (t) => {
  const dialect = DIALECTS.get('openai-chat')
  if (dialect === undefined) throw new Error('no dialect')
  const target = { ...fakeTarget('openai-chat'), model: 'm', extraBody: { max_tokens: 700 } }
  const facts = { model: 'm', stream: false, includeUsage: false, maxOutputTokens: null, provider: null, prompt: null }
  const task = { facts, target, outputCap: 50 } as unknown as EncodeTask
  t.equal(editWithin(dialect, task, { model: 'm', messages: [] }).edits.get('max_tokens'), 50)
  t.equal(limitOf(dialect, { ...task, outputCap: null }, { max_tokens: 900 }).size, 0)
  t.end()
})

test('a large body is capped without being read in full', (t) => {
  const messages = [{ role: 'user', content: 'word '.repeat(10_000) }]
  const bytes = new Uint8Array(Buffer.from(JSON.stringify({ ...REQUESTS['openai-chat'], messages })))
  const decoded = CODEC.skimBody('openai-chat', bytes)
  if (decoded === null) throw new Error('not skimmed')
  const { json, head, facts, members } = decoded
  const target = { ...fakeTarget('openai-chat'), model: 'm' }
  const task = { surfaceId: 'openai-chat', body: bytes, json, head, facts, members, target, prompt: null }
  const passed = CODEC.passBody({ ...task, outputCap: 50, upstreamStream: false })
  const sent = JSON.parse(Buffer.concat(passed?.pieces ?? []).toString()) as JsonObject
  t.same(sent, { ...REQUESTS['openai-chat'], messages, max_tokens: 50 })
  t.end()
})
