// What is fetched of a stranger's server, and all that is not: other kinds, too much, too late, elsewhere.
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { t as tap, test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { type FetchOptions, fetchAttachment } from '../../../src/upstream/strangers/attachment.js'

const PNG = Buffer.from('89504e470d0a1a0a', 'hex')
const answers = new Map<string, (answer: ServerResponse) => void>()
const asked: { url: string; headers: NodeJS.Dict<string | string[]> }[] = []
const server = createServer((req, res) => {
  asked.push({ url: req.url ?? '', headers: req.headers })
  answers.get(req.url ?? '')?.(res)
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
tap.teardown(() => {
  server.closeAllConnections()
  server.close()
})
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

const inside = (over: Partial<FetchOptions> = {}): FetchOptions => ({
  ...{ allowInsecure: true, allowPrivateNetworks: true, maxBytes: 1000, timeoutMs: 5000 },
  signal: new AbortController().signal,
  room: { grow: () => null },
  ...over,
})

async function reasonOf(path: string, over: Partial<FetchOptions> = {}): Promise<string> {
  return await fetchAttachment(origin + path, inside(over)).then(
    () => 'fetched',
    (reason: Error) => reason.message,
  )
}

function serve(path: string, headers: Record<string, string>, body: Buffer | string = PNG, status = 200): void {
  answers.set(path, (answer) => answer.writeHead(status, headers).end(body))
}

test('an image comes with its type; the request says nothing of the client', async (t) => {
  serve('/cat.png?x=1', { 'content-type': 'Image/PNG; charset=binary' })
  const fetched = await fetchAttachment(`${origin}/cat.png?x=1#frag`, inside())
  t.strictSame(fetched, { mediaType: 'image/png', base64: PNG.toString('base64') })
  const { headers } = asked.at(-1) ?? { headers: {} }
  t.match(headers, { 'user-agent': 'sluice-fetch', 'accept-encoding': 'identity' })
  t.notOk('authorization' in headers || 'cookie' in headers)
})

test('redirects, errors, other types, encoded and oversized answers are refused', async (t) => {
  serve('/moved', { location: `${origin}/cat.png?x=1` }, '', 302)
  serve('/gone', { 'content-type': 'image/png' }, '', 404)
  serve('/page', { 'content-type': 'text/html' }, '<html>')
  serve('/svg', { 'content-type': 'image/svg+xml' }, '<svg/>')
  serve('/gzip', { 'content-type': 'image/png', 'content-encoding': 'gzip' })
  serve('/named', { 'content-type': 'image/png', 'content-length': '5000' }, Buffer.alloc(5000))
  serve('/chunked', { 'content-type': 'image/png', 'transfer-encoding': 'chunked' }, Buffer.alloc(5000))
  const before = asked.length
  t.equal(await reasonOf('/moved'), 'the server answered 302')
  t.equal(asked.length, before + 1, 'the redirect was not followed')
  t.equal(await reasonOf('/gone'), 'the server answered 404')
  t.match(await reasonOf('/page'), /content type/)
  t.match(await reasonOf('/svg'), /content type/)
  t.match(await reasonOf('/gzip'), /encoded/)
  t.equal(await reasonOf('/named'), 'too large')
  t.equal(await reasonOf('/chunked'), 'too large')
})

test('what is declared too large is refused before any of it comes', async (t) => {
  answers.set('/large', (answer) => {
    answer.writeHead(200, { 'content-type': 'image/png', 'content-length': '1001' }).flushHeaders()
  })
  t.equal(await reasonOf('/large'), 'too large')
})

test('a few early heads come before an answer; a server that sends one after the other is not heard to the end', async (t) => {
  const hint = 'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n'
  const whole = 'HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 1\r\n\r\nx'
  answers.set('/hints', (answer) => void answer.socket?.write(hint.repeat(8) + whole))
  answers.set('/storm', (answer) => void answer.socket?.write(hint.repeat(9) + whole))
  t.equal(await reasonOf('/hints'), 'fetched')
  t.equal(await reasonOf('/storm'), 'no answer after early heads')
})

test('an answer that is cut, late or no longer wanted yields no attachment', async (t) => {
  answers.set('/cut', (answer) => {
    answer.writeHead(200, { 'content-type': 'image/png', 'content-length': '100' })
    answer.write(PNG, () => answer.destroy())
  })
  answers.set('/hang', () => {})
  t.not(await reasonOf('/cut'), 'fetched')
  t.equal(await reasonOf('/hang', { timeoutMs: 100 }), 'timed out')
  const leaving = new AbortController()
  answers.set('/left', () => leaving.abort())
  t.match(await reasonOf('/left', { signal: leaving.signal }), /not needed/)
  t.match(await reasonOf('/left', { signal: leaving.signal }), /not needed/, 'nor is it asked for then')
})

test('the guard of strangers’ URLs holds: nothing of this machine is asked', async (t) => {
  const before = asked.length
  t.match(await reasonOf('/cat.png?x=1', { allowPrivateNetworks: false }), /public address/)
  t.match(await reasonOf('/cat.png?x=1', { allowInsecure: false }), /https/)
  const rebound = inside({ allowPrivateNetworks: false, resolve: async () => [{ address: '127.0.0.1', family: 4 }] })
  const { port } = new URL(origin)
  await t.rejects(fetchAttachment(`http://rebound.test:${port}/cat.png?x=1`, rebound), /not public/)
  t.equal(asked.length, before)
})

/** Memory of so many bytes for one fetch; what was asked of it. */
function roomOf(bytes: number) {
  const grown: number[] = []
  return {
    grown,
    room: {
      grow(neededBytes: number) {
        grown.push(neededBytes)
        return neededBytes > bytes ? NO_ROOM : null
      },
    },
  }
}
const NO_ROOM = GatewayError.shared('rate_limited', { message: 'no room' })
const KIB = 1024

test('without room for a connection nothing is asked for', async (t) => {
  const before = asked.length
  const { room, grown } = roomOf(64 * KIB - 1)
  t.equal(await reasonOf('/cat.png?x=1', { room }), 'no room')
  t.same(grown, [64 * KIB])
  t.equal(asked.length, before)
})

test('what an answer declares is reserved as the base64 it becomes, before any of it is kept', async (t) => {
  const body = Buffer.alloc(300 * KIB, 1)
  serve('/large', { 'content-type': 'image/png', 'content-length': String(body.length) }, body)
  const fits = roomOf(400 * KIB)
  const fetched = await fetchAttachment(`${origin}/large`, inside({ maxBytes: 512 * KIB, room: fits.room }))
  t.ok(Buffer.from(fetched.base64, 'base64').equals(body))
  t.same(fits.grown, [64 * KIB, 400 * KIB])
  t.equal(fetched.base64.length, 400 * KIB)
  const tight = roomOf(400 * KIB - 1)
  t.equal(await reasonOf('/large', { maxBytes: 512 * KIB, room: tight.room }), 'no room')
})

test('an answer of unknown length in a byte a chunk is kept in one buffer that grows as it comes', async (t) => {
  const parts = 100 * KIB
  answers.set('/drops', (answer) => {
    answer.writeHead(200, { 'content-type': 'image/png', 'transfer-encoding': 'chunked' })
    answer.flushHeaders()
    // Past the server's own framing: one read holds thousands of chunks.
    answer.socket?.write(Buffer.from(`${'1\r\nx\r\n'.repeat(parts)}0\r\n\r\n`))
  })
  const { room, grown } = roomOf(1024 * KIB)
  const fetched = await fetchAttachment(`${origin}/drops`, inside({ maxBytes: 512 * KIB, room }))
  t.equal(Buffer.from(fetched.base64, 'base64').toString(), 'x'.repeat(parts))
  const base64Of = (kib: number) => 4 * Math.ceil((kib * KIB) / 3)
  t.same(grown, [64 * KIB, base64Of(32), base64Of(64), base64Of(128)])
})
