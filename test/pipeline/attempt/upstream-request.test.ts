// What is asked of the upstream.
import { test } from 'tap'
import { timeoutsFor, upstreamRequest } from '../../../src/pipeline/attempt/upstream-request.js'
import { resourceFacts } from '../../../src/protocols/endpoints/endpoint.js'
import { PipelineRig } from '../../helpers/pipeline.js'
import { KEY } from '../../helpers/pipeline-config.js'
import { ANTHROPIC } from '../../helpers/pipeline-wires.js'
import { sentBytes } from '../../helpers/sent-bytes.js'
import { testProvider } from '../../helpers/targets.js'
import { thrownBy } from '../../helpers/thrown.js'

const TIMEOUTS = { connectMs: 1, firstTokenMs: 2, betweenTokensMs: 3, totalMs: 4 }

test('a whole answer is bounded by the total time alone', async (t) => {
  t.equal(timeoutsFor(TIMEOUTS, true, Number.POSITIVE_INFINITY), TIMEOUTS)
  t.same(timeoutsFor(TIMEOUTS, false, Number.POSITIVE_INFINITY), {
    connectMs: 1,
    firstTokenMs: 4,
    betweenTokensMs: 4,
    totalMs: 4,
  })
  t.same(timeoutsFor(TIMEOUTS, true, 3), { ...TIMEOUTS, totalMs: 3 }, 'what the client has left is less')
})

test('a whole answer may have a time of its own', async (t) => {
  const own = { ...TIMEOUTS, wholeMs: 9 }
  t.match(timeoutsFor(own, false, Number.POSITIVE_INFINITY), { firstTokenMs: 9, betweenTokensMs: 9, totalMs: 9 })
  t.match(timeoutsFor(own, false, 5), { totalMs: 5 }, 'but no more than the client has left')
  t.match(timeoutsFor(own, true, Number.POSITIVE_INFINITY), { firstTokenMs: 2, totalMs: 4 })
  t.match(timeoutsFor({ ...TIMEOUTS, wholeMs: null }, false, Number.POSITIVE_INFINITY), { totalMs: 4 })
})

test('parameter headers pass to the client’s own protocol alone, and only those it knows', async (t) => {
  const rig = new PipelineRig()
  const parameterHeaders = { 'anthropic-beta': 'x', 'x-other': 'y' }
  await rig.ask({ surface: ANTHROPIC, model: 'other', parameterHeaders })
  t.same(rig.call.request.headers, { 'anthropic-beta': 'x' })
  await rig.ask({ surface: ANTHROPIC, model: 'one', parameterHeaders })
  t.same(rig.call.request.headers, {})
  rig.pipeline.endAll()
})

test('a key of the caller’s goes to the provider that its path names, and to no other that routing may have found', async (t) => {
  const [north, south] = ['north', 'south'].map((name) => testProvider(`http://${name}`, { name }))
  const callerKey = (provider: typeof north) => {
    if (provider === undefined) throw new Error('no provider')
    const request = { path: { provider: 'north', callerKey: 'sk-own' }, key: { name: null }, parameterHeaders: {} }
    const target = { provider: provider.name, protocol: 'openai-chat' }
    const parts = { request: { ...request, surface: { id: 'x' } }, routed: { provider, target }, dialect: {} }
    const encoded = { path: '/chat/completions', body: new Uint8Array(0) }
    return upstreamRequest({ ...parts, encoded, isStream: false, facts: {} } as never).callerKey
  }
  t.equal(callerKey(north), 'sk-own')
  t.equal(callerKey(south), null)
})

test('what a provider keeps for the owner of a key is asked with the caller’s own key, or not at all', async (t) => {
  const asked = (callerKey: string | null, path: object | null) => {
    const provider = testProvider('http://north', { name: 'north' })
    const endpoint = resourceFacts({ id: 'files', wire: 'openai' }, { method: 'DELETE', rest: '/x', isFile: false })
    const request = {
      path: path && { ...path, callerKey },
      key: { name: null },
      parameterHeaders: {},
      surface: { id: 'x' },
    }
    const routed = { provider, target: { provider: 'north', protocol: 'openai-chat' } }
    const encoded = { path: '/files/x', body: new Uint8Array(0) }
    return upstreamRequest({ request, routed, dialect: {}, encoded, isStream: false, facts: { endpoint } } as never)
  }
  t.match(asked('sk-own', { provider: 'north' }), { method: 'DELETE', callerKey: 'sk-own', path: '/files/x' })
  for (const [key, path] of [
    [null, { provider: 'north' }],
    ['sk-own', { provider: 'south' }],
    ['sk-own', null],
  ] as const) {
    t.match(
      thrownBy(() => asked(key, path)),
      { code: 'internal' },
    )
  }
})

test('a client of another protocol that does not stream is served from a stream', async (t) => {
  const rig = new PipelineRig()
  await rig.ask({ surface: ANTHROPIC, model: 'one', stream: false })
  t.equal(rig.call.request.isStream, true)
  t.match(JSON.parse(sentBytes(rig.call.request.body).toString()), { stream: true, model: 'up' })
  await rig.ask({ stream: false })
  t.equal(rig.call.request.isStream, false)
  rig.pipeline.endAll()
})

test('a request goes out as its key’s', async (t) => {
  const rig = new PipelineRig()
  await rig.ask()
  t.equal(rig.call.request.tenant, KEY.owner)
  t.ok(KEY.owner)
  rig.pipeline.endAll()
})

test('the caller’s own key goes to the provider that the path names, and to no other', async (t) => {
  const rig = new PipelineRig()
  for (const [provider, callerKey] of [
    ['north', 'sk-own'],
    [null, null],
  ] as const) {
    await rig.ask({ model: 'one', path: { streams: true, provider, callerKey: 'sk-own' } })
    t.equal(rig.call.request.provider.name, 'north')
    t.equal(rig.call.request.callerKey, callerKey)
  }
  rig.pipeline.endAll()
})
