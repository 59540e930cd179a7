// A deploy as the clients of the library see it: two nodes with a Redis are replaced one after the other while answers stream, and
// every client, the official ones with `resumingFetch` and a SluiceSocket, reads every word once. A balancer sends new connections
// to the nodes that stay.
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'
import { CUT_CLIENTS, wordsOf } from '../helpers/cut-clients.js'
import { startCuttingProxy } from '../helpers/cutting-proxy.js'
import { type Running, simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { Random } from '../helpers/random.js'
import { RedisServer } from '../helpers/redis.js'

const KEY = 'key-of-both-nodes-0123456789'
const STREAMS = 24
/** Ten seconds: the new nodes are already there when the old ones go. */
const WORDS = 100
const TOKENS_PER_SEC = 20
const LOOK_MS = 10

test('a rolling restart of both nodes loses no word of any client', async (t) => {
  const redis = await RedisServer.start(t)
  const simulator = await startSimulator(t, ['--tokens-per-second', String(TOKENS_PER_SEC)])
  const config = {
    keys: [{ name: 'ours', key: KEY }],
    server: { drainGraceMs: 0 },
    streams: { store: 'redis', tokenSecret: 'a secret of both of the nodes' },
    redis: { url: redis.url },
    providers: simulatedProviders(simulator.origin),
  }
  const start = () => startGateway(t, { config })
  const old: readonly Running[] = [await start(), await start()]
  const fresh: readonly Running[] = [await start(), await start()]
  let nodes = [...old]
  const portOf = (connection: number) => Number(new URL(nodes[connection % nodes.length]?.origin ?? '').port)
  const balancer = await startCuttingProxy(t, portOf, () => null)

  const random = Random.ofRun()
  let resumed = 0
  const onResume = () => {
    resumed += 1
  }
  const ground = { origin: balancer.origin, key: KEY, onResume }
  // An EventSource ends at a 404, which the other node may answer before it has heard of a stream that was only just begun.
  const kinds = Object.entries(CUT_CLIENTS).filter(([kind]) => kind !== 'eventSource')
  const answers = Array.from({ length: STREAMS }, async (_, turn) => {
    const [kind, ask] = kinds[turn % kinds.length] ?? ['none', null]
    const text = wordsOf(random, WORDS)
    const answer = await ask?.(ground, 'openai/echo', text).catch((error: unknown) => String(error))
    return answer === text ? null : `${kind}, stream ${turn}: ${answer}`
  })

  let isOver = false
  const all = Promise.all(answers).finally(() => {
    isOver = true
  })
  const headers = { 'x-api-key': KEY }
  for (const node of old) await node.metricsWith([/^sluice_active_streams\{transport="sse"\} [1-9]/m], headers)
  const exits: Promise<number | string>[] = []
  for (const [i, node] of old.entries()) {
    nodes = [...old.slice(i + 1), ...fresh.slice(0, i + 1)]
    exits.push(node.stop('SIGTERM'))
    while (!isOver && resumed < (i + 1) * (STREAMS / 4)) await sleep(LOOK_MS)
  }
  t.same(
    (await all).filter((fault) => fault !== null),
    [],
    `SEED=${random.seed}`,
  )
  t.ok(resumed > 0, `${resumed} resumed`)
  t.same(await Promise.all(exits), [0, 0])
})
