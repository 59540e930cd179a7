// Bytes as they come.
import { test } from 'tap'
import { BytesRelay } from '../../../src/pipeline/relay/bytes.js'
import { OPENAI } from '../../helpers/pipeline-wires.js'
import { feed, relayOptionsFor } from '../../helpers/relay.js'

test('every chunk passes, and the end is that of HTTP', (t) => {
  const { options, outlet } = relayOptionsFor(OPENAI, OPENAI)
  const relay = new BytesRelay(options)
  feed(relay, 'RIFF....data', 5)
  t.equal(outlet.text, 'RIFF....data')
  t.same(outlet.told, ['content', 'complete'])
  t.same([relay.meter.usage, relay.meter.contentBytes, relay.meter.finish], [null, 0, null])
  t.end()
})

test('a body that ends with its connection may be half of it', (t) => {
  const { options, outlet } = relayOptionsFor(OPENAI, OPENAI, { isDelimited: false })
  feed(new BytesRelay(options), 'RIFF')
  t.equal(outlet.error?.code, 'upstream_cut')
  t.notOk(outlet.told.includes('complete'))
  t.end()
})
