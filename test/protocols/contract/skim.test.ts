// A skimmed request: the same facts, the same bytes to its own provider, and checked in full as soon as it must be translated.
import { test } from 'tap'
import { isJsonArray, type JsonObject, type JsonValue } from '../../../src/model/json.js'
import { type Quirks, type Target } from '../../../src/model/target.js'
import { createCodec } from '../../../src/protocols/contract/codec.js'
import { type DecodedRequest, type EncodedBody } from '../../../src/protocols/contract/request-task.js'
import { MIN_SKIMMED_BYTES, MIN_VIEWED_BYTES } from '../../../src/protocols/contract/skim.js'
import { PROTOCOLS } from '../../../src/protocols/index.js'
import { encodeText } from '../../../src/wire/json.js'
import { readFixtures, SURFACES } from '../../helpers/protocol-fixtures.js'
import { testTarget } from '../../helpers/targets.js'
import { thrownBy } from '../../helpers/thrown.js'

const codec = createCodec(PROTOCOLS)
const SKIMMED = SURFACES.filter(({ bulkMembers }) => bulkMembers !== undefined)
const OWN = SKIMMED.filter(({ id }) => PROTOCOLS.some((one) => one.id === id && one.dialect !== null))
const LONG = 'const "text" = 1;\n\tétat '.repeat(MIN_SKIMMED_BYTES / 20)
const turn = (content: JsonValue): JsonObject => ({ role: 'user', content })
const bodyOf = (json: JsonObject): Uint8Array<ArrayBuffer> => encodeText(JSON.stringify(json))

/** Recorded requests with a long turn in front: large enough to be skimmed. */
function largeRequests(
  surfaceId: string,
  long = LONG,
): { name: string; json: JsonObject; body: Uint8Array<ArrayBuffer> }[] {
  return readFixtures(surfaceId, 'requests').flatMap(({ name, bytes }) => {
    const json = JSON.parse(bytes.toString()) as JsonObject
    if (!isJsonArray(json.messages)) return []
    const large = { ...json, messages: [turn(long), ...json.messages] }
    return [{ name, json: large, body: bodyOf(large) }]
  })
}

const QUIRKS: Partial<Quirks>[] = [
  {},
  { developerRole: false },
  { imageUrls: false },
  { refusedFields: ['reasoning_content', 'tools', 'temperature'] },
  { jsonSchema: 'none' },
  { jsonSchema: 'json-object', maxTokensField: 'max_completion_tokens', reasoningRequest: 'none', maxTemperature: 1 },
]

test('reads the same facts as in full, for every recorded request', (t) => {
  let skims = 0
  for (const { id } of SKIMMED) {
    for (const { name, body } of largeRequests(id)) {
      const skimmed = codec.skimBody(id, body)
      if (skimmed === null) continue
      skims += 1
      const { json: _, head: none, ...whole } = codec.decodeBody(id, body)
      const { json, head, ...rest } = skimmed
      t.strictSame(rest, whole, `${id} ${name}`)
      t.equal(json, null)
      t.equal(none, null)
      t.notSame(head, null)
    }
  }
  t.ok(skims > 20, `${skims} skimmed`)
  t.end()
})

test('edits the same bytes as in full, for every recorded request and quirk, copied and in pieces', (t) => {
  let passes = 0
  let inPieces = 0
  const longer = LONG.repeat(MIN_VIEWED_BYTES / MIN_SKIMMED_BYTES)
  for (const surface of OWN) {
    for (const { name, body } of [...largeRequests(surface.id), ...largeRequests(surface.id, longer)]) {
      const skimmed = codec.skimBody(surface.id, body)
      if (skimmed === null) continue
      const whole = codec.decodeBody(surface.id, body)
      for (const quirks of QUIRKS) {
        const extraBody: JsonObject = { top_p: 0.5, tools: [], safety: { on: true } }
        for (const over of [{}, { extraBody, thinks: false }]) {
          const target = testTarget(surface.id, over, quirks)
          const passed = pass(surface.id, body, { decoded: skimmed, target })
          if (passed !== null) passes += 1
          if (passed?.pieces !== undefined) {
            inPieces += 1
            if (body.length < MIN_VIEWED_BYTES) t.fail(`${name}: ${body.length} bytes in pieces`)
          }
          const expected = attempt(() => encode(surface.id, body, { decoded: whole, target }))
          const given =
            passed === null ? attempt(() => encode(surface.id, body, { decoded: skimmed, target })) : shown(passed)
          t.strictSame(given, expected, `${surface.id} ${name} ${JSON.stringify(quirks)}`)
        }
      }
    }
  }
  t.ok(inPieces > 100 && passes >= 2 * inPieces, `${passes} passed, ${inPieces} in pieces`)
  t.end()
})

type Way = { readonly decoded: DecodedRequest; readonly target: Target }

function taskOf(surfaceId: string, body: Uint8Array<ArrayBuffer>, { decoded, target }: Way) {
  return { ...decoded, surfaceId, body, target, prompt: null, upstreamStream: decoded.facts.stream }
}

function pass(surfaceId: string, body: Uint8Array<ArrayBuffer>, way: Way) {
  return codec.passBody(taskOf(surfaceId, body, way))
}

function encode(surfaceId: string, body: Uint8Array<ArrayBuffer>, way: Way) {
  return shown(codec.encodeBody(taskOf(surfaceId, body, way)))
}

function shown({ path, body, pieces = [body], dropped }: EncodedBody) {
  return { path, dropped, text: Buffer.concat(pieces).toString() }
}

function attempt<T>(run: () => T): T | object {
  try {
    return run()
  } catch (thrown) {
    return { thrown: String(thrown) }
  }
}

const CHAT: JsonObject = { model: 'm', temperature: 1, messages: [turn(LONG), turn('Hi')] }
const own = testTarget('openai-chat')
const other = testTarget('anthropic-messages')

test('what is wrong inside the messages is left to their own provider, and refused where they are translated', (t) => {
  const body = bodyOf({ ...CHAT, messages: [turn(LONG), { role: 'nobody', content: 'x' }] })
  const decoded = codec.skimBody('openai-chat', body)
  if (decoded === null) throw new Error('not skimmed')
  t.match(pass('openai-chat', body, { decoded, target: own }), { dropped: [] })
  t.match(
    thrownBy(() => codec.encodeBody(taskOf('openai-chat', body, { decoded, target: other }))),
    { code: 'invalid_request', param: 'messages.1.role' },
  )
  t.end()
})

test('a signature of another vendor inside the messages is found, and removed', (t) => {
  const call = { id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }
  const signed = { ...call, extra_content: { google: { thought_signature: 'anthropic:abc' } } }
  const messagesOf = (one: JsonObject) => [turn(LONG), { role: 'assistant', content: null, tool_calls: [one] }]
  const body = bodyOf({ ...CHAT, messages: messagesOf(signed) })
  const decoded = codec.skimBody('openai-chat', body)
  if (decoded === null) throw new Error('not skimmed')
  t.equal(pass('openai-chat', body, { decoded, target: own }), null)
  const expected = Buffer.from(bodyOf({ ...CHAT, messages: messagesOf(call) })).toString()
  t.equal(encode('openai-chat', body, { decoded, target: own }).text === expected, true)
  t.end()
})

test('what is wrong beside them is refused at once', (t) => {
  const paramOf = (over: JsonObject) =>
    thrownBy(() => codec.skimBody('openai-chat', bodyOf({ ...CHAT, ...over }))).param
  t.equal(paramOf({ temperature: 9 }), 'temperature')
  t.equal(paramOf({ model: '' }), 'model')
  t.equal(paramOf({ tools: 7 }), 'tools')
  t.equal(paramOf({ tools: [7] }), 'tools.0', 'a short list is read')
  t.end()
})

test('a member that may select another model is found', (t) => {
  t.equal(codec.skimBody('openai-chat', bodyOf({ ...CHAT, models: ['x'] }))?.selector, 'models')
  t.equal(codec.skimBody('openai-chat', bodyOf({ ...CHAT, models: null }))?.selector, undefined)
  t.end()
})

test('is read in full: a small body, one without bulk, an empty list, one that escapes letters, one that is not sound', (t) => {
  const text = JSON.stringify(CHAT)
  const isSkimmed = (body: string, surface = 'openai-chat') => codec.skimBody(surface, encodeText(body)) !== null
  t.equal(isSkimmed(text), true)
  t.equal(isSkimmed(JSON.stringify({ ...CHAT, messages: [turn('Hi')] })), false)
  t.equal(isSkimmed(JSON.stringify({ model: 'm', messages: [turn('Hi')], metadata: { text: LONG } })), false)
  t.equal(isSkimmed(`{"model":"m","messages":[${' '.repeat(MIN_SKIMMED_BYTES)}]}`), false)
  t.equal(isSkimmed(text.replace('"role"', '"r\\u006fle"')), false)
  t.equal(isSkimmed(`${text}}`), false)
  t.equal(isSkimmed(JSON.stringify({ path: '/x', body: CHAT }), 'raw-passthrough'), false)
  t.equal(thrownBy(() => codec.skimBody('nope', encodeText(text))).code, 'internal')
  t.end()
})

test('images count as images', (t) => {
  const image = Buffer.alloc(30_000, 7).toString('base64')
  const parts = [
    { type: 'image_url', image_url: { url: `data:image/png;base64,${image}` } },
    { type: 'input_audio', input_audio: { data: image, format: 'wav' } },
    { type: 'text', text: `data: ${'x'.repeat(2000)}` },
    { type: 'text', text: 'x'.repeat(2000) },
  ]
  const body = bodyOf({ ...CHAT, messages: [turn(parts), turn(LONG)] })
  const skimmed = codec.skimBody('openai-chat', body)
  t.equal(skimmed?.estimatedTokens, codec.decodeBody('openai-chat', body).estimatedTokens)
  const escaped = encodeText(Buffer.from(body).toString().replaceAll('/', '\\/'))
  const exact = codec.decodeBody('openai-chat', escaped).estimatedTokens
  t.ok(Math.abs((codec.skimBody('openai-chat', escaped)?.estimatedTokens ?? 0) - exact) < exact / 10)
  t.end()
})
