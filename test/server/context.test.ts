// Who comes in before a body is read, and who does not.
import { test } from 'tap'
import { GatewayError } from '../../src/errors.js'
import { CHAT_PATH } from '../helpers/fake-pipeline.js'
import { startFront } from '../helpers/front.js'
import { exchangeRaw, openRaw } from '../helpers/raw-http.js'

/** The head of a request whose body does not come: whoever waits for it does not answer. */
const HEAD_ALONE = `POST ${CHAT_PATH} HTTP/1.1\r\nHost: x\r\nX-API-Key: b\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n`

test('a request that is turned away is answered before its body is read, with a time to come back; health is not', async (t) => {
  const asked: unknown[] = []
  const refusal = (key: unknown): GatewayError => {
    asked.push(key)
    return new GatewayError('overloaded', { retryAfterMs: 1500 })
  }
  const { port, url, pipeline } = await startFront(t, { options: { refusal } })
  const { answers } = await exchangeRaw(port, HEAD_ALONE)
  t.equal(answers[0]?.status, 503)
  t.match(pipeline.rejections, [{ error: { data: { code: 'overloaded', retryAfterMs: 1500 } }, requestBytes: 0 }])
  t.match(asked, [{ name: 'b' }], 'by whose key it is')
  for (const path of ['/livez', '/readyz', '/health', '/metrics', '/v1/models']) {
    t.equal((await fetch(url + path)).status, 200, path)
  }
})

test('while it drains every new request is turned away, whatever else would be said', async (t) => {
  const { server, port, pipeline } = await startFront(t, { options: { refusal: () => null } })
  const socket = await openRaw(port)
  server.closeListener()
  const answered = new Promise<string>((resolve) => socket.once('data', (bytes: Buffer) => resolve(bytes.toString())))
  socket.write(HEAD_ALONE)
  t.match(await answered, /^HTTP\/1\.1 503 /)
  socket.destroy()
  t.match(pipeline.rejections, [{ error: { data: { code: 'draining' } } }])
})
