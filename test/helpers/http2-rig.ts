// Calls to a provider that speaks HTTP/2, without a gateway around them, and what its server holds of each.
import { type Http2ServerResponse } from 'node:http2'
import { type ProviderConfig } from '../../src/config/types.js'
import { type Pools } from '../../src/upstream/pool/pools.js'
import { Authority } from './certificates.js'
import { type Teardown } from './gateway.js'
import { Http2Upstream, type Http2UpstreamOptions } from './http2-upstream.js'
import { ScriptedHttp2Upstream } from './scripted-http2-upstream.js'
import { type Script } from './scripted-upstream.js'
import { testProvider } from './targets.js'
import { type Probe, type ProbeOptions, probe, testUpstream } from './upstream-probe.js'

export type Http2Rig = {
  readonly server: Http2Upstream
  readonly provider: ProviderConfig
  readonly ask: (options?: ProbeOptions) => Probe
  readonly pools: Pools
}

/** A server, and an upstream that offers HTTP/2 to it. */
export async function startRig(
  t: Teardown,
  server: Http2UpstreamOptions = {},
  options: Partial<ProviderConfig> = {},
): Promise<Http2Rig> {
  const upstreamServer = await Http2Upstream.listen(t, server)
  const { upstream, pools } = testUpstream()
  t.teardown(() => pools.close(0))
  const tls = { ca: upstreamServer.ca, cert: null, key: null, serverName: null }
  const provider = testProvider(upstreamServer.origin, { tls, http2: 'auto', apiKey: 'sk-up', ...options })
  return { server: upstreamServer, provider, pools, ask: (more) => probe(upstream, provider, more) }
}

/** Calls that wait for their answers, and the responses that the server holds. */
export async function holdStreams(
  rig: Pick<Http2Rig, 'server' | 'ask'>,
  count: number,
): Promise<{ probes: Probe[]; held: Http2ServerResponse[] }> {
  const held: Http2ServerResponse[] = []
  const all = new Promise<void>((resolve) => {
    rig.server.answer = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: first\n\n')
      if (held.push(response) === count) resolve()
    }
  })
  let probes: Probe[] = []
  let begun = 0
  const begins = new Promise<void>((resolve) => {
    const onEvent = (event: string): void => {
      if (event === 'bytes' && ++begun === count) resolve()
    }
    probes = Array.from({ length: count }, () => rig.ask({ onEvent }))
  })
  await Promise.all([all, begins])
  return { probes, held }
}

/** An upstream that offers HTTP/2 to a provider of one script, in frames. */
export async function startScriptedRig(t: Teardown, script: Script, options: Partial<ProviderConfig> = {}) {
  const authority = new Authority(t)
  const server = await ScriptedHttp2Upstream.listen(script, authority.issue('h2'))
  t.teardown(() => server.close())
  const { upstream, pools } = testUpstream()
  t.teardown(() => pools.close(0))
  const tls = { ca: authority.ca, cert: null, key: null, serverName: null }
  const provider = testProvider(`https://127.0.0.1:${server.port}`, { tls, http2: 'auto', ...options })
  return { server, provider, pools, ask: (more?: ProbeOptions) => probe(upstream, provider, more) }
}
