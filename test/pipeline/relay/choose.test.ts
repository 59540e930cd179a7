// Which relay: the table of src/README.md.
import { test } from 'tap'
import { createRelay } from '../../../src/pipeline/relay/choose.js'
import { ANTHROPIC, OPENAI } from '../../helpers/pipeline-wires.js'
import { relayOptionsFor } from '../../helpers/relay.js'

test('the relay follows from who streams and whether both speak the same protocol', async (t) => {
  const table = [
    [true, true, OPENAI, 'PassthroughRelay'],
    [true, true, ANTHROPIC, 'TranscodeRelay'],
    [true, false, OPENAI, 'ReplayRelay'],
    [true, false, ANTHROPIC, 'ReplayRelay'],
    [false, true, OPENAI, 'CollectRelay'],
    [false, true, ANTHROPIC, 'CollectRelay'],
    [false, false, OPENAI, 'WholeRelay'],
    [false, false, ANTHROPIC, 'WholeRelay'],
  ] as const
  for (const [clientStreams, upstreamStreams, wire, name] of table) {
    const { options } = relayOptionsFor(OPENAI, wire, { clientStreams, upstreamStreams })
    t.equal(createRelay(options).constructor.name, name)
  }
})
