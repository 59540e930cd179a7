// Bytes to bytes over two fake protocols; what only some real ones have, over those.
import { test } from 'tap'
import { createCodec } from '../../../src/protocols/contract/codec.js'
import { type Surface } from '../../../src/protocols/contract/protocol.js'
import { type EncodeTask } from '../../../src/protocols/contract/request-task.js'
import { PROTOCOLS } from '../../../src/protocols/index.js'
import { encodeText } from '../../../src/wire/json.js'
import { FAKE_PROTOCOLS, fakeTarget } from '../../helpers/fake-protocol.js'
import { testTarget } from '../../helpers/targets.js'
import { thrownBy } from '../../helpers/thrown.js'

const codec = createCodec(FAKE_PROTOCOLS)
const TEXT = '{ "model":"m", "text":"hé", "x":{"y":1} }'
const fallback = { id: 'r', model: 'm', createdSec: 1, usage: null }
const read = (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString())

function encodeTask(protocol: string, rest: Partial<EncodeTask> = {}): EncodeTask {
  const body = encodeText(TEXT)
  const { facts, members, json, head } = codec.decodeBody('fake-sse', body)
  return {
    surfaceId: 'fake-sse',
    body,
    json,
    head,
    facts,
    members,
    target: fakeTarget(protocol),
    prompt: null,
    upstreamStream: false,
    ...rest,
  }
}

test('decodes facts, members and an estimate', async (t) => {
  const decoded = codec.decodeBody('fake-sse', encodeText(TEXT))
  t.equal(decoded.facts.model, 'm')
  t.same(
    decoded.members.map((member) => member.key),
    ['model', 'text', 'x'],
  )
  t.equal(decoded.estimatedTokens, Math.ceil(Buffer.byteLength(TEXT) / 4))
  t.same(decoded.json, JSON.parse(TEXT))
})

test('refuses what the body or the surface refuses', async (t) => {
  t.equal(thrownBy(() => codec.decodeBody('fake-sse', encodeText('{"model":"a","model":"b"}'))).param, 'model')
  t.equal(thrownBy(() => codec.decodeBody('fake-sse', encodeText('{"text":""}'))).param, 'model')
  t.equal(thrownBy(() => codec.decodeBody('nope', encodeText('{}'))).code, 'internal')
})

test("edits the client's own bytes on a same-protocol way", async (t) => {
  const encoded = codec.encodeBody(encodeTask('fake-sse'))
  t.equal(Buffer.from(encoded.body).toString(), TEXT.replace('"m"', '"up-model"'))
  t.equal(encoded.path, '/fake-sse/up-model')
  t.same(encoded.dropped, [])
  const task = encodeTask('fake-sse', { target: fakeTarget('fake-sse', 'm') })
  t.equal(codec.encodeBody(task).body, task.body, 'the same bytes when nothing changes')
})

test('translates to another protocol, and asks for usage', async (t) => {
  for (const json of [undefined, null]) {
    const task = encodeTask('fake-lines', { upstreamStream: true, ...(json === null ? { json } : {}) })
    const encoded = codec.encodeBody(task)
    t.same(read(encoded.body), { model: 'up-model', stream: true, usage: true, turns: 1, text: 'hé' })
    t.equal(encoded.path, '/fake-lines/up-model?stream')
    t.same(encoded.dropped, ['x'])
    t.equal(encoded.body.buffer.byteLength, encoded.body.byteLength)
  }
})

test('names of dropped members are fit for a header: printable, short, and not too many', async (t) => {
  const droppedOf = (members: object) => {
    const body = encodeText(JSON.stringify({ model: 'm', text: 'a', ...members }))
    return codec.encodeBody({ ...encodeTask('fake-lines'), ...codec.decodeBody('fake-sse', body), body }).dropped
  }
  t.strictSame(droppedOf({ 'a, b': 1, ü: 1, 'x\r\ny': 1 }), ['a??b', '?', 'x??y'])
  t.strictSame(droppedOf({ ['n'.repeat(1000)]: 1 }), ['n'.repeat(64)])
  const many = droppedOf(Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`m${i}`, i])))
  t.strictSame([many.length, many.at(-1)], [33, '68-more'])
})

test('translates on a same-protocol way, too, when the upstream must stream and the client does not', async (t) => {
  t.match(read(codec.encodeBody(encodeTask('fake-sse', { upstreamStream: true })).body), { stream: true, turns: 1 })
})

test('knows a target without a dialect for a wrong configuration', async (t) => {
  t.equal(thrownBy(() => codec.encodeBody(encodeTask('nope'))).code, 'misconfigured')
})

const real = createCodec(PROTOCOLS)

/** A body of a real surface on its way to a target. */
function realTask(surfaceId: string, text: string, rest: Partial<EncodeTask> & Pick<EncodeTask, 'target'>): EncodeTask {
  const body = encodeText(text)
  return { surfaceId, body, ...real.decodeBody(surfaceId, body), prompt: null, upstreamStream: false, ...rest }
}

test('a body in the upstream’s own words goes as its bytes are, once it has no duplicate key', async (t) => {
  const target = testTarget('openai-chat')
  const taskOf = (body: string) =>
    realTask('raw-passthrough', `{"provider":"p","path":"/x?y=1","body":${body}}`, { target })
  const own = '{ "b": 12345678901234567890, "a":1.0 }'
  const encoded = real.encodeBody(taskOf(own))
  t.equal(Buffer.from(encoded.body).toString(), own)
  t.equal(encoded.body.buffer.byteLength, own.length, 'in memory of their own')
  t.strictSame([encoded.path, encoded.dropped], ['/x?y=1', []])
  t.strictSame(
    read(real.encodeBody(taskOf('[{"a":1,"a":2}]')).body),
    [{ a: 2 }],
    'no object of which a member was read',
  )
  t.equal(thrownBy(() => real.encodeBody(taskOf('{"max_tokens":1,"max_tokens":9}'))).code, 'invalid_request')
  t.equal(thrownBy(() => real.encodeBody({ ...taskOf(own), members: [] })).code, 'internal')
})

test('addresses that the target does not take are named before there is a body, then what came stands in for them', async (t) => {
  const url = 'https://x.example/a.png'
  const content = [
    { type: 'image_url', image_url: { url } },
    { type: 'text', text: 'What is it?' },
  ]
  const text = JSON.stringify({ model: 'm', messages: [{ role: 'user', content }] })
  const taskOf = (attachments: EncodeTask['attachments']) =>
    realTask('openai-chat', text, { target: testTarget('ollama-chat'), attachments: attachments ?? null })
  t.match(
    thrownBy(() => real.encodeBody(taskOf(null))),
    { code: 'invalid_request', message: /by URL/ },
  )
  t.match(real.encodeBody(taskOf([])), { wanted: [url], body: { length: 0 } })
  const source = { kind: 'base64', mediaType: 'image/png', base64: 'aGk=' } as const
  const encoded = real.encodeBody(taskOf([{ url, source }]))
  t.equal(encoded.wanted, undefined)
  t.match(read(encoded.body), { messages: [{ images: ['aGk='] }] })
  t.match(
    thrownBy(() => real.encodeBody(taskOf([{ url, source: null }]))),
    { message: /could not be fetched/ },
  )
})

test('makes one answer of the frames of a stream', async (t) => {
  const answer = (protocol: string, frames: string) =>
    codec.aggregateFrames({ surfaceId: 'fake-lines', target: fakeTarget(protocol), body: encodeText(frames), fallback })
  const sse = answer(
    'fake-sse',
    ': k\n\ndata: {"delta":"Hé"}\n\ndata: ?\n\ndata: {"delta":"y"}\n\ndata: {"done":true,"usage":7}',
  )
  t.same(read(sse.body), { by: 'fake-lines', model: 'm', text: 'Héy' })
  t.match({ ...sse, body: null }, { usage: { outputTokens: 7 }, finishReason: 'stop', contentChars: 3 })
  const lines = answer('fake-lines', '{"delta":"a"}\n{"done":true}\n')
  t.same(read(lines.body), { by: 'fake-lines', model: 'm', text: 'a' })
  t.equal(lines.usage, null)
  t.equal(thrownBy(() => answer('fake-lines', '{"delta":"a"}\n')).code, 'upstream_cut')
})

test('translates a whole answer', async (t) => {
  const transcode = (text: string) =>
    codec.transcodeResponse({
      surfaceId: 'fake-sse',
      target: fakeTarget('fake-lines'),
      body: encodeText(text),
      fallback,
    })
  const answer = transcode('{"text":"héllo","usage":{"output":3}}')
  t.same(read(answer.body), { by: 'fake-sse', model: 'm', text: 'héllo' })
  t.match({ ...answer, body: null }, { usage: { outputTokens: 3 }, contentChars: 5 })
  t.equal(thrownBy(() => transcode('<html>')).code, 'upstream_malformed')
  t.equal(thrownBy(() => transcode('{}')).code, 'upstream_malformed')
})

/** The same two protocols, but answers of the first repeat a member of their request. */
const ECHOING = FAKE_PROTOCOLS.map((protocol) => {
  const { surface } = protocol
  if (surface?.id !== 'fake-sse') return protocol
  const repeating: Surface = {
    ...surface,
    readEcho: ({ x = null }) => ({ x }),
    encodeResponse: (response, target, echo) => ({ ...surface.encodeResponse(response, target), echo: echo ?? null }),
  }
  return { ...protocol, surface: repeating }
})

test('what an answer needs of its request comes with the encoded body, and goes with the answer', async (t) => {
  const echoing = createCodec(ECHOING)
  const echo = { x: { y: 1 } }
  for (const protocol of ['fake-sse', 'fake-lines']) {
    t.same(echoing.encodeBody(encodeTask(protocol)).echo, echo, protocol)
    t.notOk('echo' in codec.encodeBody(encodeTask(protocol)), 'a surface without one')
  }
  const task = { surfaceId: 'fake-sse', target: fakeTarget('fake-lines'), fallback }
  const whole = encodeText('{"text":"a"}')
  t.same(read(echoing.transcodeResponse({ ...task, body: whole, echo }).body), {
    by: 'fake-sse',
    model: 'm',
    text: 'a',
    echo,
  })
  t.match(read(echoing.transcodeResponse({ ...task, body: whole }).body), { echo: null })
  const frames = encodeText('{"delta":"a"}\n{"done":true}\n')
  t.match(read(echoing.aggregateFrames({ ...task, body: frames, echo }).body), { text: 'a', echo })
})

test('JSON in a text may be nested however deeply: arguments and results of tools are encoded for every wire', async (t) => {
  const real = createCodec(PROTOCOLS)
  const deep = `${'{"a":'.repeat(40_000)}1${'}'.repeat(40_000)}`
  const called = { id: 'c1', type: 'function', function: { name: 'f', arguments: deep } }
  const messages = [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: null, tool_calls: [called] },
    { role: 'tool', tool_call_id: 'c1', content: deep },
  ]
  const body = encodeText(JSON.stringify({ model: 'm', messages }))
  for (const { id, dialect, surface } of PROTOCOLS) {
    if (dialect !== null) {
      const task = { ...real.decodeBody('openai-chat', body), surfaceId: 'openai-chat', body, prompt: null }
      const encoded = real.encodeBody({ ...task, target: testTarget(id), upstreamStream: true })
      t.ok(encoded.body.length > 0, id)
    }
    if (surface === null || surface.upstreamFrames !== undefined) continue
    const content = [{ type: 'tool-call', id: 'c1', name: 'f', arguments: deep, signature: null }] as const
    const answer = { meta: fallback, content, finishReason: 'tool-calls', stopSequence: null, usage: null } as const
    t.ok(JSON.stringify(surface.encodeResponse(answer)).length > 0, `${id} for clients`)
  }
})

test('a file by id goes to its own vendor in the caller’s own account alone', async (t) => {
  const real = createCodec(PROTOCOLS)
  const content = [{ type: 'file', file: { file_id: 'file-1' } }]
  const body = encodeText(JSON.stringify({ model: 'm', messages: [{ role: 'user', content }] }))
  const encode = (surfaceId: string, protocol: string, isOwn: boolean) => {
    const decoded = real.decodeBody(surfaceId, body)
    const facts = isOwn ? { ...decoded.facts, isOwnAccount: true as const } : decoded.facts
    const task = {
      ...decoded,
      facts,
      surfaceId,
      body,
      prompt: null,
      target: testTarget(protocol),
      upstreamStream: false,
    }
    return JSON.stringify(read(real.encodeBody(task).body))
  }
  t.match(encode('provider-chat', 'openai-chat', true), '{"file_id":"file-1"}')
  t.match(
    thrownBy(() => encode('provider-chat', 'openai-chat', false)),
    { param: 'messages.0.content.0', status: 400 },
  )
  for (const { id, dialect } of PROTOCOLS) {
    if (dialect === null || id === 'openai-chat') continue
    t.match(
      thrownBy(() => encode('openai-chat', id, true)),
      { param: 'messages.0.content.0', message: /stored at another provider/ },
      id,
    )
  }
  t.match(
    thrownBy(() => encode('openai-chat', 'openai-chat', false)),
    { param: 'messages.0.content.0.file.file_id', ownCode: 'unsupported_parameter' },
  )
})

test('a large body that names a file of the shared account is read, and refused', async (t) => {
  const real = createCodec(PROTOCOLS)
  const filler = { role: 'user', content: 'x'.repeat(40_000) }
  const parts = [{ type: 'document', source: { type: 'file', file_id: 'file_1' } }]
  const messages = [filler, { role: 'user', content: parts }]
  const body = encodeText(JSON.stringify({ model: 'm', max_tokens: 9, messages }))
  const skimmed = real.skimBody('anthropic-messages', body)
  if (skimmed === null) throw new Error('it was read in full')
  const target = testTarget('anthropic-messages')
  const task = { ...skimmed, surfaceId: 'anthropic-messages', body, prompt: null, target, upstreamStream: false }
  t.equal(real.passBody(task), null)
  t.match(
    thrownBy(() => real.encodeBody(task)),
    { param: 'messages.1.content.0.source.file_id' },
  )
})
