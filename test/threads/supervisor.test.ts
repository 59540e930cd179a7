// The supervisor with event loops that serve nothing: they start and drain together, and none dies unseen.
import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:net'
import { type MessagePort } from 'node:worker_threads'
import { type Test, test } from 'tap'
import { openLedger } from '../../src/config/live/slot-table.js'
import { type Config } from '../../src/config/types.js'
import { GatewayError } from '../../src/errors.js'
import { type SharedCells } from '../../src/threads/messages.js'
import { Supervisor } from '../../src/threads/supervisor.js'
import { load } from '../config/sources.js'
import { rejectionOf } from '../helpers/thrown.js'

const FRONTEND_URL = new URL('../helpers/loop-worker.js', import.meta.url)

type Setup = {
  readonly threads: number
  /** What the further loops do; see the worker. */
  readonly order?: string
  readonly port?: number
  readonly listen?: (port: number) => Promise<number>
}

/** A supervisor, the main thread's loop and the cells that all share. */
function setUp({ threads, order = 'serve', port = 0, listen = async (wanted) => wanted }: Setup) {
  const { config: loaded } = load('')
  const config: Config = { ...loaded, server: { ...loaded.server, threads, port }, warnings: [order] }
  const ledger = openLedger(config)
  const room = (): SharedArrayBuffer => new SharedArrayBuffer(64)
  const cells: SharedCells = {
    limiter: room(),
    receiving: room(),
    fetched: room(),
    kept: room(),
    linkSecret: room(),
    metrics: room(),
    ledger,
    directory: null,
  }
  const asked: number[] = []
  const started: unknown[] = []
  const drained: string[] = []
  const reopened: string[] = []
  const reloaded: unknown[] = []
  const peers: MessagePort[] = []
  const deaths = new EventEmitter()
  const died = once(deaths, 'died')
  const supervisor = new Supervisor({
    config,
    cells,
    connectStore: () => Promise.reject(new Error('no jobs here')),
    createLoop: (...args) => {
      started.push(args)
      return {
        listen: (wanted) => {
          asked.push(wanted)
          return listen(wanted)
        },
        reload: (next) => {
          if (next.warnings.includes('refuse')) throw new GatewayError('misconfigured', { message: 'It will not do.' })
          reloaded.push(next.warnings)
        },
        drain: async () => void drained.push('loop 0'),
        endNow: async () => void drained.push('loop 0 at once'),
        reopenLog: async () => void reopened.push('loop 0'),
        acceptPeer: (port) => void peers.push(port),
      }
    },
    frontendUrl: FRONTEND_URL,
    onLoopDied: (reason) => deaths.emit('died', reason),
  })
  return { supervisor, config, cells, asked, started, drained, reopened, reloaded, peers, died }
}

function ports(cells: SharedCells): number[] {
  return [...new Int32Array(cells.limiter)].slice(0, 4)
}

test('one thread is one loop on the main thread, and the kernel picks port 0', async (t) => {
  const { supervisor, asked, started, config, cells, drained } = setUp({ threads: 1, listen: async () => 4711 })
  t.equal(await supervisor.start(), 4711)
  t.same(asked, [0])
  t.same(started, [[config, cells]])
  t.same(ports(cells), [0, 0, 0, 0])
  await supervisor.drain(0)
  t.same(drained, ['loop 0'])
})

test('further loops get their number, the cells and the port of the first', async (t) => {
  const { supervisor, cells, drained } = setUp({ threads: 3, port: 3000, listen: async () => 4712 })
  t.equal(await supervisor.start(), 4712)
  t.same(ports(cells), [0, 4712, 4712, 0])
  await supervisor.drain(0)
  t.same([...new Int32Array(cells.metrics)].slice(0, 4), [0, 1, 1, 0], 'each has drained')
  t.same(drained, ['loop 0'])
})

test('several loops on port 0 share one free port, named before any of them listens', async (t) => {
  const { supervisor, asked, cells } = setUp({ threads: 2 })
  const port = await supervisor.start()
  t.ok(port > 0)
  t.same(asked, [port])
  t.equal(ports(cells)[1], port)
  await t.resolves(listenOnce(port), 'the probe let go of it')
  await supervisor.drain(0)
})

async function listenOnce(port: number): Promise<void> {
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  server.close()
  await once(server, 'close')
}

test('a port that the first loop cannot have starts no other', async (t) => {
  const listen = async (): Promise<number> => {
    throw new GatewayError('misconfigured', { message: 'The port is taken.' })
  }
  const { supervisor, cells } = setUp({ threads: 2, port: 3000, listen })
  t.match(await rejectionOf(supervisor.start()), { code: 'misconfigured', message: 'The port is taken.' })
  t.same(ports(cells), [0, 0, 0, 0])
})

test('a further loop that cannot start fails the start, with its reason', async (t) => {
  const wanted = { fail: 'The port is taken.', throw: /1: thrown at once/, leave: /1: it ended by itself/ }
  for (const [order, message] of Object.entries(wanted)) {
    const { supervisor } = setUp({ threads: 2, port: 3000, order })
    t.match(await rejectionOf(supervisor.start()), { message }, order)
  }
})

test('reports a further loop that dies at work, whether it threw or exited', async (t) => {
  await dies(t, 'throw later', 'event loop 1: thrown later')
  await dies(t, 'die later', 'event loop 1: it ended by itself')
})

async function dies(t: Test, order: string, wanted: string): Promise<void> {
  const { supervisor, died } = setUp({ threads: 2, port: 3000, order })
  await supervisor.start()
  t.same(await died, [wanted])
  await t.resolves(supervisor.drain(0), 'nobody waits for the dead')
}

test('a loop that dies over its draining ends it, and is no alarm', async (t) => {
  const { supervisor, died, drained } = setUp({ threads: 2, port: 3000, order: 'die while draining' })
  await supervisor.start()
  await supervisor.drain(0)
  t.same(drained, ['loop 0'])
  t.equal(await Promise.race([died, 'silence']), 'silence')
})

test('an end without a drain reaches every loop, and waits for none that has died', async (t) => {
  const { supervisor, cells, drained } = setUp({ threads: 3, port: 3000 })
  await supervisor.start()
  await supervisor.endNow()
  t.same(drained, ['loop 0 at once'])
  t.same([...new Int32Array(cells.metrics)].slice(9, 12), [0, 1, 1], 'each has ended')
  await t.resolves(supervisor.endNow())
})

test('a reload reaches every loop, with the places of its names, and is over when all have it', async (t) => {
  const { supervisor, config, cells, reloaded } = setUp({ threads: 3, port: 3000 })
  await supervisor.start()
  const ledger = { ...cells.ledger, keys: ['a', 'b'] }
  await supervisor.reload({ ...config, warnings: ['next'] }, ledger)
  t.same(reloaded, [['next']])
  t.same([...new Int32Array(cells.metrics)].slice(5, 8), [2, 2, 0], 'each knows the two keys')
  await supervisor.drain(0)
})

test('what the first loop refuses reaches no other', async (t) => {
  const { supervisor, config, cells } = setUp({ threads: 2, port: 3000 })
  await supervisor.start()
  const refused = supervisor.reload({ ...config, warnings: ['refuse'] }, { ...cells.ledger, keys: ['a'] })
  t.match(await rejectionOf(refused), { code: 'misconfigured', message: 'It will not do.' })
  t.same([...new Int32Array(cells.metrics)].slice(5, 8), [0, 0, 0])
  await supervisor.drain(0)
})

test('a loop that dies over a reload does not hold it up', async (t) => {
  const { supervisor, config, cells, died } = setUp({ threads: 2, port: 3000, order: 'die while reloading' })
  await supervisor.start()
  await supervisor.reload(config, cells.ledger)
  t.match(await died, ['event loop 1: died while reloading'])
})

test('the log is opened anew on every loop', async (t) => {
  const { supervisor, cells, reopened } = setUp({ threads: 3, port: 3000, listen: async () => 4712 })
  await supervisor.start()
  await supervisor.reopenLogs()
  t.same(reopened, ['loop 0'])
  t.same([...new Int32Array(cells.metrics)].slice(13, 15), [1, 1])
  await supervisor.drain(0)
})

test('loops are connected with each other when they ask for it', async (t) => {
  const { supervisor, peers } = setUp({ threads: 3, port: 3000, order: 'connect' })
  const answerOf = async (port: MessagePort | null | undefined) => {
    port?.postMessage('who is there?')
    return port == null ? null : (await once(port, 'message'))[0]
  }
  await supervisor.start()
  t.match(await answerOf(supervisor.connectLoop(2, 'streams')), { loopIndex: 2 })
  t.equal(supervisor.connectLoop(3, 'streams'), null)
  while (peers.length < 2) await new Promise((resolve) => setImmediate(resolve))
  const answers = await Promise.all(peers.map(answerOf))
  t.same(answers.map(({ loopIndex }) => loopIndex).sort(), [1, 2], 'both asked for loop 0')
  for (const { missing } of answers) t.same(missing, [9])
  await supervisor.drain(0)
})
