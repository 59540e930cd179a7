// Who asks: which headers bear a key, what is refused before the body, which failures are counted.
import { test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { CHAT_PATH, fakeSurface } from '../../helpers/fake-pipeline.js'
import { startFront } from '../../helpers/front.js'
import { codeOf, exchangeRaw, firstOf, post } from '../../helpers/raw-http.js'

const BODY = '{"model":"fast"}'

test('refuses a request without a known key before it reads the body', async (t) => {
  const { port, pipeline } = await startFront(t)
  pipeline.keys = ['good']
  // The body never comes: the answer must not wait for it.
  const head = `POST ${CHAT_PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n`
  const keys = [
    '',
    'Authorization: Bearer bad\r\n',
    'Authorization: Bearer\r\n',
    `Authorization: Bearer ${'k'.repeat(8000)}\r\n`,
  ]
  keys.push(
    'Authorization: Bearer good\r\nAuthorization: Bearer bad\r\n',
    "X-Api-Key: ' OR 1=1;--\r\n",
    'X-Api-Key: good1\r\n',
  )
  for (const key of keys) {
    const answer = firstOf((await exchangeRaw(port, `${head}${key}\r\n`)).answers)
    t.equal(answer.status, 401, key.slice(0, 40))
    t.equal(codeOf(answer), 'unauthenticated')
  }
  t.equal(pipeline.exchanges.length, 0)
  t.equal(pipeline.rejections.length, keys.length)
  const answer = firstOf((await exchangeRaw(port, post(CHAT_PATH, BODY, 'X-API-Key: good\r\n'))).answers)
  t.equal(answer.status, 200)
})

test('takes a gateway key from the headers of the vendors’ own client libraries', async (t) => {
  const { port, pipeline, url } = await startFront(t, {
    options: { surfaces: [{ ...fakeSurface, routes: [{ method: 'POST', path: '/v1/chat/{provider}' }] }] },
  })
  pipeline.keys = ['good']
  const ask = async (...lines: string[]) => {
    const head = lines.map((line) => `${line}\r\n`).join('')
    return firstOf((await exchangeRaw(port, post('/v1/chat/north', BODY, head))).answers).status
  }
  for (const name of ['api-key', 'x-goog-api-key', 'Api-Key']) {
    t.equal(await ask(`${name}: good`), 200, name)
    t.equal(await ask(`${name}: bad`), 401, name)
    t.equal(await ask(`${name}: good`, `${name}: good`), 401, `two ${name} headers`)
    t.equal((await fetch(`${url}/v1/models`, { headers: { [name]: 'good' } })).status, 200, name)
  }
  t.equal(await ask('api-key: good', 'x-goog-api-key: good'), 401, 'nobody can say which is meant')
  t.equal(await ask('api-key: good', 'x-api-key: sk-own'), 200)
  t.equal(pipeline.exchanges.at(-1)?.request.path?.callerKey, 'sk-own', 'the caller’s own key is still another one')
  const { length } = pipeline.exchanges
  t.equal(await ask('api-key: good', 'x-api-key: sk-sluice-revoked'), 401, 'one of ours is sent to no provider')
  t.equal(pipeline.exchanges.length, length)
  t.ok(pipeline.rejections.every(({ hasKey }) => hasKey))
})

test('counts a wrong key against the client’s address: not a missing one, and not against a proxy that names no client', async (t) => {
  const noted: string[] = []
  const failedKeys = {
    isQuiet: false,
    check: (address: Uint8Array) => {
      if (address.at(-1) === 9) throw new GatewayError('rate_limited')
    },
    note: (address: Uint8Array) => void noted.push(address.join('.')),
  }
  const ask = async (port: number, ...lines: string[]) =>
    firstOf((await exchangeRaw(port, post(CHAT_PATH, BODY, lines.map((line) => `${line}\r\n`).join('')))).answers)
      .status
  const bare = await startFront(t, { options: { failedKeys } })
  bare.pipeline.keys = ['good']
  t.equal(await ask(bare.port), 401)
  t.equal(await ask(bare.port, 'authorization: Bearer good'), 200)
  t.same(noted, [])
  t.equal(await ask(bare.port, 'authorization: Bearer bad'), 401)
  t.equal(await ask(bare.port, 'x-api-key: bad'), 401)
  t.same(noted.splice(0), ['127.0.0.1', '127.0.0.1'])
  const behind = await startFront(t, { options: { failedKeys }, config: { trustedProxies: ['127.0.0.1'] } })
  behind.pipeline.keys = ['good']
  t.equal(await ask(behind.port, 'x-api-key: bad'), 401)
  t.same(noted, [], 'that would shut out all of its clients')
  t.equal(await ask(behind.port, 'x-api-key: bad', 'x-forwarded-for: 203.0.113.7'), 401)
  t.same(noted, ['203.0.113.7'])
  t.equal(await ask(behind.port, 'x-api-key: good', 'x-forwarded-for: 203.0.113.9'), 429, 'whatever its key')
})
