// The protocol as the core sees it.
import { test } from 'tap'
import { anthropicMessages } from '../../../src/protocols/anthropic-messages/index.js'
import { PROTOCOLS } from '../../../src/protocols/index.js'
import { FALLBACK, splitFrames, targetOf } from './fixtures.js'

const { surface, dialect } = anthropicMessages
if (surface === null || dialect === null) throw new Error('both halves are spoken')

test('is registered with both halves under one id', async (t) => {
  t.ok(PROTOCOLS.includes(anthropicMessages))
  t.strictSame([anthropicMessages.id, surface.id, dialect.id], Array(3).fill('anthropic-messages'))
  t.strictSame(surface.routes, [{ method: 'POST', path: '/v1/messages' }])
  t.equal(dialect.path(targetOf(), true), '/messages')
  t.strictSame(dialect.headers, { 'anthropic-version': '2023-06-01' })
  t.strictSame(dialect.parameterHeaders, ['anthropic-beta'])
  t.strictSame([surface.framing, dialect.framing], ['sse', 'sse'])
})

test('its keepalive is one ping frame', async (t) => {
  t.strictSame(splitFrames(surface.keepaliveFrame), [{ event: 'ping', data: '{"type":"ping"}' }])
})

test('makes a fresh encoder, decoder and observer for each stream', async (t) => {
  const out: string[] = []
  const encoder = surface.createEncoder((frame) => out.push(frame), { includeUsage: true })
  const decoder = dialect.createDecoder((event) => encoder.push(event), { fallback: FALLBACK, target: targetOf() })
  decoder.push(Buffer.from('{"type":"message_stop"}'))
  t.match(out.at(-1), /message_stop/)
  t.notOk(dialect.createObserver({ stripUsage: true, target: targetOf() }).isComplete())
})
