// Bytes of a socket that is read eagerly: handed over within the read, each piece in memory of its own, in order and complete, also
// where nobody takes them at once, where the end or a reset comes right behind them, and over TLS.
import { once } from 'node:events'
import { connect as connectTcp, createServer, type Server, type Socket, type TcpNetConnectOpts } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { test } from 'tap'
import { EAGER_READS, readEagerly } from '../../../src/upstream/pool/eager-reads.js'
import { Authority } from '../../helpers/certificates.js'
import { type Teardown } from '../../helpers/gateway.js'

type Pair = { readonly near: Socket; readonly far: Socket }

async function portOf(t: Teardown, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Two ends of a connection; the near one is read eagerly. */
async function openPair(t: Teardown): Promise<Pair> {
  const server = createServer()
  const accepted = once(server, 'connection')
  const options: TcpNetConnectOpts = { port: await portOf(t, server), host: '127.0.0.1', ...EAGER_READS }
  return pairOf(t, connectTcp(options), accepted, 'connect')
}

async function openTlsPair(t: Teardown): Promise<Pair> {
  const authority = new Authority(t)
  const server = createTlsServer(authority.issue('far'))
  const accepted = once(server, 'secureConnection')
  const port = await portOf(t, server)
  const near = connectTls({ port, host: '127.0.0.1', ca: authority.ca, ...EAGER_READS })
  return pairOf(t, near, accepted, 'secureConnect')
}

async function pairOf(t: Teardown, near: Socket, accepted: Promise<unknown[]>, opened: string): Promise<Pair> {
  await once(near, opened)
  readEagerly(near)
  const [far] = (await accepted) as [Socket]
  near.on('error', () => undefined)
  far.on('error', () => undefined)
  t.teardown(() => {
    near.destroy()
    far.destroy()
  })
  return { near, far }
}

/** Reads as undici does: all there is, whenever the socket says so. */
function collect(socket: Socket): { readonly pieces: Buffer[]; readonly closed: Promise<unknown> } {
  const pieces: Buffer[] = []
  socket.on('readable', () => {
    for (let piece: Buffer | null = socket.read(); piece !== null; piece = socket.read()) pieces.push(piece)
  })
  const closed = new Promise((resolve) => socket.once('close', resolve))
  return { pieces, closed }
}

for (const [name, open] of [
  ['TCP', openPair],
  ['TLS', openTlsPair],
] as const) {
  test(`${name}: a piece is there within its read, once, and no tick is waited for`, async (t) => {
    const { near, far } = await open(t)
    const seen: (string | null)[] = []
    let ticks = 0
    const taken = new Promise<void>((resolve) => {
      near.on('readable', () => {
        seen.push(String(near.read()), near.read())
        seen.push(`after ${ticks} ticks`)
        resolve()
      })
    })
    // Node's own way tells of the piece by a tick of its own.
    const { push } = near
    near.push = function tell(...args) {
      ticks += 1
      return push.apply(this, args)
    }
    far.write('first')
    await taken
    t.same(seen, ['first', null, 'after 0 ticks'])
  })

  test(`${name}: all bytes come in order, and the end behind them`, async (t) => {
    const { near, far } = await open(t)
    const { pieces, closed } = collect(near)
    const sent = Buffer.alloc(600_000, 'the whole text, ')
    far.end(sent)
    near.once('end', () => near.end())
    await closed
    t.ok(Buffer.concat(pieces).equals(sent))
    t.ok(pieces.length > 3, `${pieces.length} pieces`)
  })
}

test('pieces of two sockets that are kept are not written over', async (t) => {
  const pairs = [await openPair(t), await openPair(t)] as const
  const [one, other] = [collect(pairs[0].near), collect(pairs[1].near)]
  for (let i = 0; i < 20; i++) {
    for (const [at, { near, far }] of pairs.entries()) {
      const readable = once(near, 'readable')
      far.write(`${at} says ${i};`)
      await readable
    }
  }
  const expected = (at: number) => Array.from({ length: 20 }, (_, i) => `${at} says ${i};`).join('')
  t.equal(Buffer.concat(one.pieces).toString(), expected(0))
  t.equal(Buffer.concat(other.pieces).toString(), expected(1))
})

test('what came before a reset was handed over before it', async (t) => {
  const { near, far } = await openPair(t)
  const { pieces, closed } = collect(near)
  const said: string[] = []
  near.on('error', (error: NodeJS.ErrnoException) => said.push(`${Buffer.concat(pieces)} ${error.code}`))
  const readable = once(near, 'readable')
  far.write('half an answer')
  await readable
  far.resetAndDestroy()
  await closed
  t.same(said, ['half an answer ECONNRESET'])
})

test('a reader that takes nothing stops the reading, and later gets everything in order', async (t) => {
  const { near, far } = await openPair(t)
  const sent = Buffer.from(Array.from({ length: 100_000 }, (_, i) => `${i},`).join('')).subarray(0, 500_000)
  let isTaking = false
  const pieces: Buffer[] = []
  const take = () => {
    if (!isTaking) return
    for (let piece: Buffer | null = near.read(); piece !== null; piece = near.read()) pieces.push(piece)
  }
  near.on('readable', take)
  const filled = new Promise<void>((resolve) => {
    const { push } = near
    near.push = function note(...args) {
      const hasRoom = push.apply(this, args)
      if (!hasRoom) resolve()
      return hasRoom
    }
  })
  far.end(sent)
  await filled
  const waiting = near.readableLength
  t.ok(waiting > 0 && waiting < sent.length, `${waiting} bytes wait`)
  isTaking = true
  const ended = once(near, 'end')
  take()
  await ended
  t.ok(Buffer.concat(pieces).equals(sent))
})

test('what was left untaken comes before what arrives later', async (t) => {
  const { near, far } = await openPair(t)
  let isTaking = false
  const pieces: string[] = []
  near.on('readable', () => {
    if (isTaking)
      for (let piece: Buffer | null = near.read(); piece !== null; piece = near.read()) pieces.push(`${piece}`)
  })
  const first = once(near, 'readable')
  far.write('first')
  await first
  t.equal(near.readableLength, 5)
  isTaking = true
  const second = once(near, 'readable')
  far.write(' second')
  await second
  t.equal(pieces.join(''), 'first second')
})

test('what a reader gives back comes before what arrives later', async (t) => {
  const { near, far } = await openPair(t)
  const readable = once(near, 'readable')
  near.once('readable', () => near.unshift(Buffer.from(`[${near.read()}]`)))
  far.write('first')
  await readable
  const { pieces, closed } = collect(near)
  far.end(' second')
  near.once('end', () => near.end())
  await closed
  t.equal(Buffer.concat(pieces).toString(), '[first] second')
})
