// S15: what does a console that is open cost the gateway? 1,000 streams at a model's pace, with and without a reader of the list that
// the Live page asks for once a second. Here it is asked for more often, so that its cost shows beside that of the streams; at 20 ms a
// token they take most of a machine with two cores, and a pace of 200 ms shows the same cost with less noise.
import { freePort } from '../../test/helpers/free-port.js'
import { Talker } from '../children.js'
import { against, type Contender, sluiceWith } from '../contenders.js'
import { requestFor } from '../requests.js'
import { type Bench, once, scaled, type Turn } from '../rounds.js'
import { cpuMs, type HeldReport } from '../stats.js'

const STREAMS = 1000
const PACES_MS = [20, 200]
/** Longer than the scenario. */
const TOKENS = 100_000
const WATCH_MS = 4000
const POLLS = 20
/** The page asks once a second. */
const PAGE_EVERY_MS = 1000
const ADMIN_KEY = 'bench-admin-key-0123456789abcdef'
const LIST = '/admin/v1/streams?limit=1000'
const BYTES_PER_KB = 1024

/** Adds S15's figures. */
export async function runS15(bench: Bench): Promise<void> {
  for (const paceMs of PACES_MS) await runAt(bench, paceMs)
}

async function runAt(bench: Bench, paceMs: number): Promise<void> {
  const port = await freePort()
  const list = `http://127.0.0.1:${port}${LIST}`
  const scenario = `S15 Live page, streams at ${paceMs} ms`
  await against(
    ['--tokens-per-second', String(1000 / paceMs)],
    [sluiceWith({ admin: { port, key: ADMIN_KEY } })],
    async ([gateway]) => {
      if (gateway === undefined) return
      const generator = new Talker('held-generator.js')
      const streams = scaled(bench, STREAMS)
      try {
        await generator.ask<HeldReport>({ open: streams, request: requestFor(gateway, { tokens: TOKENS }) })
        for (let round = 0; round <= bench.rounds; round++) {
          bench.say(`${scenario}, ${round === 0 ? 'warm-up' : `round ${round} of ${bench.rounds}`}`)
          const where = { scenario, contender: gateway.name, round }
          await once(bench, where, gateway, (each, turn) => compare({ each, generator, list, streams }, turn))
        }
      } finally {
        generator.stop()
      }
    },
  )
}

type Rig = { readonly each: Contender; readonly generator: Talker; readonly list: string; readonly streams: number }

/** A while without a reader of the list, and as long with one. */
async function compare({ each, generator, list, streams }: Rig, { add }: Turn): Promise<void> {
  const watch = async (polls: number) => {
    const before = cpuMs(each.pid)
    const [seen, bytes] = await Promise.all([
      generator.ask<HeldReport>({ watchMs: WATCH_MS }),
      pollFor(WATCH_MS, polls, { list, streams }),
    ])
    if (seen.held !== streams) throw new Error(`${seen.held} of ${streams} streams are open`)
    return { cpuMs: cpuMs(each.pid) - before, gapP99Ms: seen.gapMs.p99, bytes }
  }
  const alone = await watch(0)
  const beside = await watch(POLLS)
  const msPerPoll = (beside.cpuMs - alone.cpuMs) / POLLS
  add('CPU ms/poll', msPerPoll, null)
  add('% of a core', (100 * msPerPoll) / PAGE_EVERY_MS, null)
  add('KB/poll', beside.bytes / BYTES_PER_KB, null)
  add('gap p99 ms, without a page', alone.gapP99Ms, null)
  add('gap p99 ms, with a page', beside.gapP99Ms, null)
}

type Listed = { readonly list: string; readonly streams: number }

/** Asks so often within the time, one after the other; returns the length of the last answer. @throws when it is not whole */
async function pollFor(ms: number, polls: number, { list, streams }: Listed): Promise<number> {
  let bytes = 0
  for (let poll = 0; poll < polls; poll++) {
    const next = new Promise((resolve) => setTimeout(resolve, ms / polls))
    const answer = await fetch(list, { headers: { authorization: `Bearer ${ADMIN_KEY}` } })
    const text = await answer.text()
    const { total } = JSON.parse(text) as { readonly total: number }
    if (total !== streams) throw new Error(`${total} of ${streams} streams are listed`)
    bytes = text.length
    await next
  }
  return bytes
}
