// One request to an issuer: what it sends, and that its failures say neither what was sent nor what came back.
import { createServer } from 'node:net'
import { type Test, test } from 'tap'
import { askIssuer, askIssuerForJson, CredentialsError } from '../../../src/upstream/credentials/issuer-request.js'
import { Issuer, type IssuerRoutes } from '../../helpers/issuer.js'

async function open(t: Test, routes: IssuerRoutes): Promise<Issuer> {
  const issuer = await Issuer.listen(routes)
  t.teardown(() => issuer.close())
  return issuer
}

async function failureOf(asking: Promise<unknown>): Promise<CredentialsError> {
  try {
    await asking
  } catch (error) {
    if (error instanceof CredentialsError) return error
    throw error
  }
  throw new Error('it did not fail')
}

test('sends a form with its headers, and gives the text of the answer', async (t) => {
  const issuer = await open(t, { '/token': () => ({ body: 'text' }) })
  const url = `${issuer.origin}/token?a=1`
  t.equal(await askIssuer({ url, method: 'POST', form: { a: 'b c', d: 'é&' }, headers: { 'x-y': 'z' } }), 'text')
  const asked = issuer.asked[0]
  t.match(asked, {
    method: 'POST',
    path: '/token?a=1',
    body: 'a=b+c&d=%C3%A9%26',
    headers: { 'x-y': 'z', accept: 'application/json' },
  })
  t.equal(asked?.headers['content-type'], 'application/x-www-form-urlencoded')
})

test('a refusal is named by status and code alone', async (t) => {
  const issuer = await open(t, {
    '/coded': () => ({ status: 401, body: { error: 'invalid_client', error_description: 'canary-secret is wrong' } }),
    '/odd': () => ({ status: 400, body: { error: 'canary secret "x"' } }),
    '/page': () => ({ status: 500, body: '<html>canary-secret</html>' }),
  })
  const words = async (path: string) =>
    (await failureOf(askIssuer({ url: issuer.origin + path, method: 'GET' }))).message
  t.match(await words('/coded'), /^127\.0\.0\.1:\d+ answered 401, invalid_client$/)
  t.match(await words('/odd'), /answered 400$/)
  t.match(await words('/page'), /answered 500$/)
})

test('a redirect is not followed: credentials go to nowhere else', async (t) => {
  const other = await open(t, { '/': () => ({ body: {} }) })
  const issuer = await open(t, { '/token': () => ({ status: 307, headers: { location: other.origin }, body: '' }) })
  const { message } = await failureOf(
    askIssuer({ url: `${issuer.origin}/token`, method: 'POST', form: { secret: 'x' } }),
  )
  t.match(message, /answered 307/)
  t.equal(other.asked.length, 0)
})

test('what is no JSON object, or too much, is a failure', async (t) => {
  const issuer = await open(t, {
    '/list': () => ({ body: '[]' }),
    '/half': () => ({ body: '{"a":' }),
    '/much': () => ({ body: 'x'.repeat(300_000) }),
  })
  const words = async (path: string) =>
    (await failureOf(askIssuerForJson({ url: issuer.origin + path, method: 'GET' }))).message
  t.match(await words('/list'), /sent no JSON object/)
  t.match(await words('/half'), /sent no JSON object/)
  t.match(await words('/much'), /sent more than 262144 bytes/)
})

test('an answer that never ends is ended by the time for the whole of it, whatever arrives', async (t) => {
  const time = new AbortController()
  const asked = t.capture(AbortSignal, 'timeout', () => time.signal)
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
    let pieces = 0
    const drip = setInterval(() => {
      socket.write('1\r\nx\r\n')
      if (++pieces === 3) time.abort(new Error('canary'))
    }, 5)
    socket.on('close', () => clearInterval(drip))
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  const failure = await failureOf(askIssuer({ url: `http://127.0.0.1:${port}/`, method: 'GET' }))
  t.match(failure.message, /^127\.0\.0\.1:\d+ could not be asked \(/)
  t.notMatch(failure.message, /canary/)
  t.same(
    asked().map(({ args }) => args),
    [[10_000]],
  )
  // It ends once the connection is closed.
  await new Promise((resolve) => server.close(resolve))
})

test('a server that is not there, or that hangs up, is named by the code of the error', async (t) => {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  const url = `http://127.0.0.1:${port}/canary?secret=canary`
  const cut = await failureOf(askIssuer({ url, method: 'GET' }))
  t.match(cut.message, /^127\.0\.0\.1:\d+ could not be asked \((UND_ERR_SOCKET|ECONNRESET)\)$/)
  await new Promise((resolve) => server.close(resolve))
  t.match((await failureOf(askIssuer({ url, method: 'GET' }))).message, /could not be asked \(ECONNREFUSED\)$/)
})
