// Clients that leave after the first event, and the upstream they leave, in one process, so that one clock sees both ends. Prints
// the upstream's port, then takes lines of JSON (AbortCommand) and answers each with one (AbortReport).
import { connect, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { rawRequest } from './raw-request.js'
import { type AbortCommand, type AbortReport, quantile } from './stats.js'

const TICK_MS = 10
/** After this an upstream connection that is still open counts as never closed. */
const CLOSE_WITHIN_MS = 1000
const DELTA = '{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":'
const EVENT = `data: ${DELTA}{"content":"word"},"finish_reason":null}]}\n\n`
const ANSWER = [
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n',
  `${Buffer.byteLength(EVENT).toString(16)}\r\n${EVENT}\r\n`,
].join('\r\n')
const OTHER_BYTES = 700
const NUMBER = /abort-(\d+)-/

/** When clients left, by the numbers of their requests. */
const leftAtMs = new Map<string, number>()
let closedMs: number[] = []

/** Answers every request with one event and silence, and notes when it is left. */
function serve(socket: Socket): void {
  let number = ''
  socket.setNoDelay(true)
  socket.on('data', (chunk: Buffer) => {
    const found = NUMBER.exec(chunk.toString('latin1'))
    if (found === null) return
    number = found[1] ?? ''
    socket.write(ANSWER)
  })
  socket.on('error', () => undefined)
  socket.on('close', () => {
    const atMs = leftAtMs.get(number)
    if (atMs === undefined) return
    leftAtMs.delete(number)
    closedMs.push(performance.now() - atMs)
  })
}

let asked = 0
/** The beginning of an answer that was no stream. */
let otherAnswer = ''

/** One client; resolves with whether it saw an event before it left. */
function abortOne(command: AbortCommand): Promise<boolean> {
  asked += 1
  const number = String(asked)
  const socket = connect(Number(new URL(command.origin).port), '127.0.0.1').setNoDelay(true)
  socket.write(rawRequest({ ...command, body: command.body.replace('@', `abort-${number}-`) }))
  return new Promise((resolve) => {
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      if (!chunk.includes('"word"')) {
        otherAnswer = chunk.toString('latin1', 0, OTHER_BYTES)
        return
      }
      leftAtMs.set(number, performance.now())
      socket.destroy()
      resolve(true)
    })
    socket.on('close', () => resolve(false))
  })
}

async function run(command: AbortCommand): Promise<AbortReport> {
  closedMs = []
  leftAtMs.clear()
  const aborts: Promise<boolean>[] = []
  const startedAtMs = performance.now()
  const total = command.perSec * command.seconds
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const due = Math.min(total, Math.floor(((performance.now() - startedAtMs) / 1000) * command.perSec))
      while (aborts.length < due) aborts.push(abortOne(command))
      if (aborts.length < total) return
      clearInterval(timer)
      resolve()
    }, TICK_MS)
  })
  const results = await Promise.all(aborts)
  await new Promise((resolve) => setTimeout(resolve, CLOSE_WITHIN_MS))
  const sorted = closedMs.sort((a, b) => a - b)
  return {
    aborted: results.filter(Boolean).length,
    failed: results.filter((isSeen) => !isSeen).length,
    otherAnswer,
    unclosed: leftAtMs.size,
    closedMs: { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), max: sorted.at(-1) ?? 0 },
  }
}

const server = createServer(serve)
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.stdout.write(`${JSON.stringify({ port: typeof address === 'object' ? address?.port : 0 })}\n`)
})
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await run(JSON.parse(line) as AbortCommand))}\n`)
}
process.exit(0)
