// S5: what does an event cost on its way from an SSE upstream to a WebSocket client, and how much memory does a socket hold?
// The floor is the bare pipe with as many SSE clients.
import { Talker } from '../children.js'
import { against, type Contender, sluiceWith, startBarePipe } from '../contenders.js'
import { type Ask, requestFor } from '../requests.js'
import { type Bench, interleave, once } from '../rounds.js'
import { cpuMs, settledRssBytes, type WsReport } from '../stats.js'
import { runStreams } from '../stream-load.js'

const ASK: Ask = { tokens: 100 }
const SCENARIOS = [
  { scenario: 'S5 64 sockets', sockets: 64, chats: 640 },
  { scenario: 'S5 1,000 sockets', sockets: 1000, chats: 1000 },
] as const
/** So many that they show beside what a heap has to spare. */
const IDLE_SOCKETS = 5000
const FIRST_SOCKETS = 500
/** Each open socket reserves a message of 256 KiB; by default 256 of a key fit, and 1,024 in all. */
const ROOM_BYTES = 2 * 1024 ** 3
const ROOMY = Object.freeze({ maxReceivingBytes: ROOM_BYTES, maxReceivingBytesPerKey: ROOM_BYTES })

/** Adds S5's figures. */
export async function runS5(bench: Bench): Promise<void> {
  await against([], [startBarePipe, sluiceWith({ server: ROOMY })], async (contenders) => {
    const gateway = contenders.find(({ isGateway }) => isGateway)
    if (gateway === undefined) return
    await addIdle(bench, gateway)
    for (const { scenario, sockets, chats } of SCENARIOS) {
      const generator = await openSockets(gateway, sockets)
      const load = { streams: chats, concurrency: sockets }
      try {
        await interleave(bench, { scenario, entrants: contenders }, async (each, { add }) => {
          if (each === gateway) add('CPU us/event', await runChats(gateway, generator, load.streams))
          else add('CPU us/event', (await runStreams(each, ASK, load)).cpuUsPerEvent)
        })
      } finally {
        generator.stop()
      }
    }
  })
}

async function addIdle(bench: Bench, gateway: Contender): Promise<void> {
  const where = { scenario: 'S5 idle sockets', contender: gateway.name, round: 1 }
  await once(bench, where, gateway, async (each, { add }) => {
    const first = await openSockets(each, FIRST_SOCKETS)
    const before = await settledRssBytes(each.pid)
    const second = await openSockets(each, IDLE_SOCKETS)
    add('RSS KB/socket', ((await settledRssBytes(each.pid)) - before) / 1024 / IDLE_SOCKETS, null)
    first.stop()
    second.stop()
  })
}

async function openSockets({ origin, headers }: Contender, count: number): Promise<Talker> {
  const generator = new Talker('ws-generator.js')
  const url = `${origin.replace('http', 'ws')}/v1/ws`
  const { sockets } = await generator.ask<WsReport>({ open: count, url, headers })
  if (sockets !== count) throw new Error(`${sockets} of ${count} sockets`)
  return generator
}

async function runChats(gateway: Contender, generator: Talker, chats: number): Promise<number> {
  const before = cpuMs(gateway.pid)
  const { body } = requestFor(gateway, ASK)
  const report = await generator.ask<WsReport>({ chats, request: body })
  const cpu = cpuMs(gateway.pid) - before
  if (report.failed > 0 || report.events < chats * ASK.tokens) {
    throw new Error(`${report.failed} of ${chats} chats failed, ${report.events} events in all`)
  }
  return (cpu * 1000) / (chats * ASK.tokens)
}
