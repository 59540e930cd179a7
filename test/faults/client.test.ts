// Clients that leave, by FIN, by RST and by half-close, in every phase of a request: the upstream is let go within a second,
// what was taken is given back once, and the next request finds the gateway as if nothing had been.
import { once } from 'node:events'
import { type Socket } from 'node:net'
import { test } from 'tap'
import WebSocket from 'ws'
import { DONE, delta, FaultRig, FINISH, GATEWAY_KEY, newCanary, SOUND } from '../helpers/fault-rig.js'
import { openRaw } from '../helpers/raw-http.js'
import { answer, chunk, LAST_CHUNK, type Script, streamHead } from '../helpers/scripted-upstream.js'

type Phase = {
  readonly name: string
  readonly script: Script
  /** How much of the request is sent: a share of its bytes. */
  readonly sent: number
  /** Whether the gateway has seen a request at all. */
  readonly isCounted: boolean
  /** Resolves when the phase is reached. */
  reached(seen: { readonly rig: FaultRig; readonly row: number; readonly socket: Socket }): Promise<unknown>
}

const BEFORE_BODY = 0.1
const INSIDE_BODY = 0.9
const STALL = { stall: true } as const
const nothing = () => Promise.resolve()
const FLOOD = Array.from({ length: 200 }, () => delta('x'.repeat(60_000)))

function asked({ rig, row }: { rig: FaultRig; row: number }): Promise<void> {
  const upstream = rig.upstream(row)
  const before = upstream.requests.length
  return upstream.until(() => upstream.requests.length > before)
}

const PHASES: readonly Phase[] = [
  { name: 'in the head', script: SOUND, sent: BEFORE_BODY, isCounted: false, reached: nothing },
  { name: 'in the body', script: SOUND, sent: INSIDE_BODY, isCounted: true, reached: nothing },
  { name: 'before the answer', script: answer(STALL), sent: 1, isCounted: true, reached: asked },
  {
    name: 'before content',
    script: answer(streamHead(), chunk(': hold\n\n'), STALL),
    sent: 1,
    isCounted: true,
    reached: asked,
  },
  {
    name: 'between events',
    script: answer(streamHead(), delta('Hi'), STALL),
    sent: 1,
    isCounted: true,
    reached: ({ socket }) => once(socket, 'data'),
  },
  {
    name: 'without reading',
    script: answer(streamHead(), ...FLOOD, STALL),
    sent: 1,
    isCounted: true,
    reached: (seen) => {
      seen.socket.pause()
      return asked(seen)
    },
  },
  {
    name: 'at the end marker',
    script: answer(streamHead(), delta('Hi'), FINISH, DONE, LAST_CHUNK),
    sent: 1,
    isCounted: true,
    reached: ({ socket }) => once(socket, 'data'),
  },
]

const ENDS: Readonly<Record<string, (socket: Socket) => void>> = {
  FIN: (socket) => socket.destroy(),
  RST: (socket) => socket.resetAndDestroy(),
  'half-close': (socket) => socket.end(),
}

function requestBytes(row: number, stream: boolean): string {
  const body = JSON.stringify({
    model: `r${row}/m`,
    stream,
    messages: [{ role: 'user', content: newCanary().repeat(20) }],
  })
  const head = [
    'POST /v1/chat/completions HTTP/1.1',
    'Host: x',
    `Authorization: Bearer ${GATEWAY_KEY}`,
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
  ]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}

for (const isHttp2 of [false, true]) {
  const version = isHttp2 ? 'HTTP/2' : 'HTTP/1.1'
  test(`a client that leaves in any phase takes its upstream over ${version} along, and leaves nothing behind`, async (t) => {
    const rig = await FaultRig.start(t, PHASES, { isHttp2 })
    const port = Number(new URL(rig.gateway.origin).port)
    for (const [row, phase] of PHASES.entries()) {
      for (const [way, end] of Object.entries(ENDS)) {
        for (const stream of [true, false]) {
          // Nothing reaches a client that waits for a whole answer before its end.
          if (!stream && /between|marker/.test(phase.name)) continue
          const name = `${way} ${phase.name}, stream ${stream}`
          const socket = await openRaw(port)
          socket.on('error', () => undefined)
          const reached = phase.reached({ rig, row, socket })
          const bytes = requestBytes(row, stream)
          socket.write(bytes.slice(0, Math.floor(bytes.length * phase.sent)))
          await reached
          if (phase.isCounted) rig.count()
          if (phase.sent === INSIDE_BODY) await rig.receiving()
          end(socket)
          await released(rig, row)
          const found = await rig.complaints()
          if (found.length > 0) t.fail(`${name}: ${found.join('; ')}`)
          socket.destroy()
        }
      }
    }
    t.equal(await rig.gateway.stop(), 0)
  })

  test(`a WebSocket that closes, breaks or cancels does the same over ${version}`, async (t) => {
    const rig = await FaultRig.start(t, PHASES, { isHttp2 })
    const ways: Readonly<Record<string, (socket: WebSocket) => void>> = {
      close: (socket) => socket.close(),
      RST: (socket) => socket.terminate(),
      cancel: (socket) => socket.send('{"type":"cancel","id":"a"}'),
    }
    for (const [row, { name, sent }] of PHASES.entries()) {
      if (sent < 1 || /marker/.test(name)) continue
      for (const [way, leave] of Object.entries(ways)) {
        const socket = new WebSocket(`${rig.gateway.origin.replace('http', 'ws')}/v1/ws`, ['sluice.v1'], {
          headers: { authorization: `Bearer ${GATEWAY_KEY}` },
        })
        await once(socket, 'open')
        const seen = asked({ rig, row })
        rig.count()
        const request = { model: `r${row}/m`, messages: [{ role: 'user', content: 'Hi' }] }
        socket.send(JSON.stringify({ type: 'chat', id: 'a', request }))
        if (/reading/.test(name)) socket.pause()
        await seen
        leave(socket)
        await released(rig, row)
        const found = await rig.complaints()
        if (found.length > 0) t.fail(`${way} ${name}: ${found.join('; ')}`)
        socket.terminate()
      }
    }
    t.equal(await rig.gateway.stop(), 0)
  })
}

/** Every connection that carried a request which was not answered whole is closed, within a second. */
async function released(rig: FaultRig, row: number): Promise<void> {
  const upstream = rig.upstream(row)
  const isStalling = PHASES[row]?.script.some((step) => 'stall' in step) === true
  if (isStalling) await upstream.until(() => upstream.closed >= upstream.requests.length, 1000)
}
