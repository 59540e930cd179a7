// Which attempts a target is judged by.
import { test } from 'tap'
import { isJudged } from '../../../src/pipeline/attempt/judged.js'
import { type PathFacts } from '../../../src/pipeline/client.js'
import { Exchange } from '../../../src/pipeline/exchange.js'
import { type RawFacts } from '../../../src/protocols/contract/protocol.js'
import { type RouteTarget } from '../../../src/routing/router.js'
import { FakeSink } from '../../helpers/fake-sink.js'
import { PipelineRig } from '../../helpers/pipeline.js'
import { KEY } from '../../helpers/pipeline-config.js'
import { OPENAI, surfaceOf } from '../../helpers/pipeline-wires.js'

const FACTS = { model: 'one', stream: true, includeUsage: false, maxOutputTokens: null, provider: null, prompt: null }
const RAW: RawFacts = { path: '/x', model: null, asksStream: false }
const { parts } = new PipelineRig()

function judged(path: PathFacts | null, raw: RawFacts | null = null, over: Partial<RouteTarget> = {}): boolean {
  const request = { requestId: 'r', surface: surfaceOf(OPENAI), key: KEY, parameterHeaders: {}, acceptedAtMs: 0, path }
  const exchange = new Exchange({ ...request, body: new Uint8Array(2) }, new FakeSink(), parts, () => undefined)
  const facts = raw === null ? FACTS : { ...FACTS, raw }
  exchange.decoded = { facts, members: [], estimatedTokens: 1, json: {} }
  const [target] = parts.router.route({ model: 'one', provider: null, allowed: ['*'] }).targets
  if (target === undefined) throw new Error('no target')
  return isJudged(exchange, { ...target, ...over })
}

test('a caller who brings its own key or words blames nobody, nor does one that nobody configured get a breaker', async (t) => {
  const path = { streams: false, provider: 'p', callerKey: null }
  t.equal(judged(null), true)
  t.equal(judged(path), true)
  t.equal(judged({ ...path, callerKey: 'own' }), false)
  t.equal(judged(null, RAW), false)
  t.equal(judged(null, null, { providerIndex: -1 }), false)
})
