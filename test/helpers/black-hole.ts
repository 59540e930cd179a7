// An address that swallows whoever connects: a listener that takes nobody in, with its queue full, so that the kernel drops
// the first packet of each further connection. As behind a firewall that drops, without one.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type Teardown } from './gateway.js'

const LISTEN = `
  const server = require('node:net').createServer()
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(server.address().port))
`
/** The kernel queues one more than the backlog, and a few may be taken in before the signal. */
const MAX_FILLERS = 20
/** On loopback a connection is made in less, or never. */
const CONNECT_MS = 300

/** Its port. The listener is a stopped process, which the teardown ends. */
export async function openBlackHole(t: Teardown): Promise<number> {
  const child = spawn(process.execPath, ['-e', LISTEN], { stdio: ['ignore', 'pipe', 'inherit'] })
  const fillers: Socket[] = []
  t.teardown(async () => {
    for (const filler of fillers) filler.destroy()
    await end(child)
  })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const port = Number(line.toString())
  child.kill('SIGSTOP')
  for (let i = 0; i < MAX_FILLERS; i++) {
    const filler = connect(port, '127.0.0.1').on('error', () => undefined)
    fillers.push(filler)
    const isConnected = await Promise.race([
      once(filler, 'connect').then(() => true),
      new Promise<boolean>((resolve) => setTimeout(() => resolve(false), CONNECT_MS)),
    ])
    if (!isConnected) return port
  }
  throw new Error('the queue of the listener does not fill')
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}
