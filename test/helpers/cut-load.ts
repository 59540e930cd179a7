// A load of echoes over cut connections to a real gateway before a real simulator: what it was, and every answer that is not what was
// asked, word for word.
import { CUT_CLIENTS, cutsBy, wordsOf } from './cut-clients.js'
import { type CuttingProxy, startCuttingProxy } from './cutting-proxy.js'
import { type Running, simulatedProviders, startGateway, startSimulator, type Teardown } from './gateway.js'
import { parsePage } from './prometheus.js'
import { type Random } from './random.js'

export type CutLoad = {
  readonly streams: number
  readonly atOnce: number
  readonly threads: number
  readonly random: Random
  /** Of CUT_CLIENTS; all unless given. */
  readonly kinds?: readonly string[]
}

export type CutResult = {
  readonly faults: readonly string[]
  readonly cut: number
  readonly resumed: number
  /** Requests that reached the provider. */
  readonly asked: number
}

const KEY = 'test-key-0123456789abcdef'
const WORDS = 60
const TOKENS_PER_SEC = 400
const ATTEMPTS = 'sluice_upstream_attempts_total'
const MODELS = ['openai/echo', 'anthropic/echo'] as const

/** Runs the load; the kinds of clients take turns. */
export async function runCutLoad(t: Teardown, load: CutLoad): Promise<CutResult> {
  const { streams, atOnce, threads, random } = load
  const simulator = await startSimulator(t, ['--tokens-per-second', String(TOKENS_PER_SEC)])
  const gateway = await startGateway(t, {
    config: {
      server: { port: 0, threads },
      keys: [{ name: 'test', key: KEY }],
      providers: simulatedProviders(simulator.origin),
    },
  })
  const proxy: CuttingProxy = await startCuttingProxy(t, Number(new URL(gateway.origin).port), cutsBy(random))
  const faults: string[] = []
  let resumed = 0
  const ground = {
    origin: proxy.origin,
    key: KEY,
    onResume: () => {
      resumed += 1
    },
  }
  const kinds = Object.entries(CUT_CLIENTS).filter(([kind]) => load.kinds?.includes(kind) ?? true)
  const turns = Array.from({ length: streams }, (_, i) => i).values()
  const work = async (): Promise<void> => {
    for (const turn of turns) {
      const [kind, ask] = kinds[turn % kinds.length] ?? ['none', null]
      const model = MODELS[Math.floor(turn / kinds.length) % MODELS.length] ?? MODELS[0]
      const text = wordsOf(random, WORDS)
      const answer = await ask?.(ground, model, text).catch((error: unknown) => String(error))
      if (answer !== text) faults.push(`${kind} ${model}, stream ${turn}: ${answer}`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return { faults, cut: proxy.counts.cut, resumed, asked: await attemptsOf(gateway) }
}

async function attemptsOf(gateway: Running): Promise<number> {
  const { samples } = parsePage(
    await gateway.metricsWith([/^sluice_active_streams\{transport="sse"\} 0$/m], { 'x-api-key': KEY }),
  )
  return samples.filter(({ name }) => name === ATTEMPTS).reduce((sum, { value }) => sum + value, 0)
}
