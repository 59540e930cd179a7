// One request on a connection of HTTP/2, whatever its server does: refused, reset, answered too early, with too many headers, in frames
// that the RFC forbids. Each ends as it would over HTTP/1.1, and as what it is.
import { constants } from 'node:http2'
import { test } from 'tap'
import { FORBIDDEN } from '../../../helpers/http2-fault-rows.js'
import { frameOf, GOAWAY, RST_STREAM, words } from '../../../helpers/http2-frames.js'
import { holdStreams, startRig, startScriptedRig } from '../../../helpers/http2-rig.js'
import { answer, type Step } from '../../../helpers/scripted-upstream.js'

const END = ['head 200', 'bytes', 'end']
const STALL: Step = { stall: true }
const TOO_MANY = 'The provider sent more response headers than the gateway accepts.'

for (const [name, headers] of [
  ['one of 60 KB', { 'x-a': 'a'.repeat(60_000) }],
  ['six of 10 KB', Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`x-${i}`, 'a'.repeat(10_000)]))],
  ['1,200 small ones', Object.fromEntries(Array.from({ length: 1200 }, (_, i) => [`x-${i}`, 'a'.repeat(30)]))],
] as const) {
  test(`more response headers than are accepted, ${name}, fail their own request as over HTTP/1.1`, async (t) => {
    const rig = await startRig(t)
    const { probes, held } = await holdStreams(rig, 2)
    // The first of a connection may be answered before the client's settings are in force.
    for (let i = 0; i < 2; i++) {
      rig.server.answer = (response) => {
        response.writeHead(200, headers)
        response.end('late')
      }
      const { code, error, events } = await rig.ask().done()
      t.equal(code, 'upstream_malformed')
      t.equal(error?.message, TOO_MANY)
      t.same(events, ['error upstream_malformed'])
    }
    for (const response of held) response.end()
    for (const one of probes) t.same((await one.done()).events, END)
    t.equal(rig.server.sessions.length, 1)
  })
}

test('headers of 30 KB are accepted', async (t) => {
  const rig = await startRig(t)
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`x-${i}`, 'a'.repeat(90)]))
  rig.server.answer = (response) => {
    response.writeHead(200, many)
    response.end('ok')
  }
  t.same((await rig.ask().done()).events, END)
})

test('a request that is refused unseen is sent again, on a new connection as on a used one', async (t) => {
  for (const isUsed of [true, false]) {
    const rig = await startRig(t)
    if (isUsed) await rig.ask().done()
    let refusals = 0
    rig.server.answer = (response) => {
      if (refusals++ === 0) response.stream.close(constants.NGHTTP2_REFUSED_STREAM)
      else response.end('second')
    }
    const served = await rig.ask().done()
    t.same(served.events, END)
    t.equal(served.call?.attempts, 2)
    rig.server.answer = (response) => response.stream.close(constants.NGHTTP2_REFUSED_STREAM)
    const refused = await rig.ask().done()
    t.equal(refused.error?.message, 'The provider could not be reached (HTTP2_REFUSED_STREAM).')
  }
})

for (const code of [constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_ENHANCE_YOUR_CALM]) {
  test(`requests beyond the last of a GOAWAY (${code}) are sent again, and that one is not`, async (t) => {
    const rig = await startRig(t)
    const seen: string[] = []
    let isFirst = true
    rig.server.answer = (response, _, body) => {
      seen.push(body)
      const { session } = response.stream
      if (!isFirst) response.end('second')
      else if (seen.length === 3) {
        isFirst = false
        // The first stream has the number 1.
        session?.goaway(code, 1)
      }
    }
    const bodies = ['one', 'two', 'three']
    const probes = bodies.map((body) => rig.ask({ request: { body: Buffer.from(body) } }))
    const again = await Promise.all(probes.slice(1).map((one) => one.done()))
    for (const { events, error } of again) t.same(events, END, error?.message ?? '')
    t.equal(seen.filter((body) => body === 'one').length, 1)
    t.equal(rig.server.sessions.length, 3, 'a server that looked at one gets one')
    rig.server.sessions[0]?.destroy()
    const first = await probes[0]?.done()
    t.equal(first?.code, 'upstream_unreachable')
    t.equal(seen.filter((body) => body === 'one').length, 1)
  })
}

test('a server that gives up each connection before it looks at a request is asked a bounded number of times', async (t) => {
  const rig = await startScriptedRig(
    t,
    answer({ frames: () => frameOf(GOAWAY, 0, 0, words(0, constants.NGHTTP2_NO_ERROR)) }, STALL),
  )
  const { error, call } = await rig.ask().done()
  t.equal(error?.message, 'The provider could not be reached (HTTP2_GOAWAY).')
  t.equal(call?.attempts, 10)
  t.equal(rig.server.requests.length, 10)
})

test('an answer that comes before the end of the request is whole, and its connection goes on', async (t) => {
  const rig = await startRig(t, { settings: { initialWindowSize: 1000 } })
  rig.server.answer = (response) => void response.end('later')
  rig.server.onStream = (stream) => {
    if (rig.server.requests.length > 1) return
    stream.respond({ ':status': 413 })
    stream.end('too large')
  }
  const body = Buffer.alloc(1_000_000, 'y')
  const early = await rig.ask({ request: { body } }).done()
  t.same([early.status, early.body, early.events.at(-1)], [413, 'too large', 'end'])
  rig.server.onStream = () => undefined
  t.equal((await rig.ask().done()).body, 'later')
  t.equal(rig.server.sessions.length, 1)
})

test('an early answer whose rest of the request is declined (RST_STREAM NO_ERROR) is whole, too', async (t) => {
  const rig = await startScriptedRig(t, [
    { wait: 'request' },
    { send: 'HTTP/1.1 413 Large\r\ncontent-length: 3\r\n\r\nbig' },
    { frames: (stream) => frameOf(RST_STREAM, 0, stream, words(constants.NGHTTP2_NO_ERROR)) },
    STALL,
  ])
  const early = await rig.ask({ request: { body: Buffer.alloc(300_000, 'y') } }).done()
  t.same([early.status, early.body, early.events.at(-1)], [413, 'big', 'end'])
})

test('a call that is aborted at once, or in any of its own events, sends or reads nothing further', async (t) => {
  const rig = await startRig(t)
  const early = rig.ask()
  early.call?.abort()
  const served = await rig.ask().done()
  t.same(served.events, END)
  t.same(early.events, [])
  t.equal(rig.server.requests.length, 1, 'the aborted one was never sent')
  const again = rig.ask()
  again.call?.abort()
  for (const event of ['head 200', 'bytes']) {
    await new Promise<void>((resolve) => {
      const onEvent = (seen: string, probe: typeof again): void => {
        if (seen !== event) return
        probe.call?.abort()
        resolve()
      }
      rig.ask({ onEvent })
    })
  }
  t.same((await rig.ask().done()).events, END)
  t.equal(rig.server.sessions.length, 1)
})

for (const { fault, steps, code } of FORBIDDEN) {
  test(`${fault} is called what it is, and the next request is sent`, async (t) => {
    const rig = await startScriptedRig(t, answer(...steps, STALL))
    for (let i = 0; i < 2; i++) {
      const { error } = await rig.ask().done()
      t.equal(error?.message, `The provider violated HTTP/2 (HTTP2_${code}).`)
    }
    t.equal(rig.server.requests.length, 2)
  })
}
