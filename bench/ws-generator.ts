// The WebSocket load generator, a process of its own. Takes lines of JSON (WsCommand) and answers each with one: opens sockets
// and leaves them idle, or runs chats on them, one after the other on each, and counts their events.
import { createInterface } from 'node:readline'
import { WebSocket } from 'ws'
import { type WsCommand, type WsReport } from './stats.js'

const sockets: WebSocket[] = []

async function open(command: Extract<WsCommand, { open: number }>): Promise<WsReport> {
  const opening = Array.from({ length: command.open }, () => {
    // No extensions: they would be measured instead.
    const socket = new WebSocket(command.url, ['sluice.v1'], { headers: command.headers, perMessageDeflate: false })
    sockets.push(socket)
    return new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve())
      socket.once('error', reject)
    })
  })
  await Promise.all(opening)
  return { sockets: sockets.length, chats: 0, failed: 0, events: 0 }
}

function run({ request, chats }: Extract<WsCommand, { chats: number }>): Promise<WsReport> {
  let started = 0
  let finished = 0
  let failed = 0
  let events = 0
  return new Promise((resolve) => {
    const next = (socket: WebSocket): void => {
      if (started === chats) return
      started += 1
      socket.send(`{"type":"chat","id":"c${started}","request":${request}}`)
    }
    const ended = (socket: WebSocket, isWhole: boolean): void => {
      finished += 1
      if (!isWhole) failed += 1
      if (finished === chats) resolve({ sockets: sockets.length, chats: finished, failed, events })
      else next(socket)
    }
    for (const socket of sockets) {
      socket.removeAllListeners('message')
      socket.on('message', (bytes: Buffer) => {
        // Not parsed: thousands a second would cost more here than there.
        const start = bytes.toString('latin1', 0, 16)
        if (start.startsWith('{"type":"event"')) events += 1
        else ended(socket, start.startsWith('{"type":"done"') && bytes.includes('"complete"'))
      })
      next(socket)
    }
  })
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as WsCommand
  const report = 'open' in command ? await open(command) : await run(command)
  process.stdout.write(`${JSON.stringify(report)}\n`)
}
process.exit(0)
