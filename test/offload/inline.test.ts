// The inline lane: does the task now and says how long it took.
import { test } from 'tap'
import { InlineLane } from '../../src/offload/inline.js'
import { createCodec } from '../../src/protocols/contract/codec.js'
import { FAKE_PROTOCOLS } from '../helpers/fake-protocol.js'
import { fakeBody } from '../helpers/offload.js'
import { thrownBy } from '../helpers/thrown.js'

test('gives the result or the throw of the codec, counted either way', async (t) => {
  const seen: string[] = []
  const metrics = {
    offloadTask: (task: string, where: string) => {
      seen.push(`${task} ${where}`)
    },
    offloadQueue: () => undefined,
  }
  const lane = new InlineLane(createCodec(FAKE_PROTOCOLS), metrics)
  const body = fakeBody()
  t.equal(lane.run<'decode'>({ kind: 'decode', isSkimmed: false, surfaceId: 'fake-sse', body }).body, body)
  t.equal(
    thrownBy(() => lane.run<'decode'>({ kind: 'decode', isSkimmed: false, surfaceId: 'nope', body })).code,
    'internal',
  )
  t.same(seen, ['decode inline', 'decode inline'])
})
