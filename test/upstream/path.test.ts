// Joining paths: a model name can never lead out of the provider's base path.
import { test } from 'tap'
import { joinPath } from '../../src/upstream/path.js'

const FINE = [
  '/chat/completions',
  '/models/a.b..c:x?alt=sse',
  '/a?next=/../b',
  '/models/x%2Fy',
  '/v1..2/x',
  '/...',
  '/',
]
for (const path of FINE) {
  test(`joins ${path}`, (t) => {
    t.equal(joinPath('/v1', path), `/v1${path}`)
    t.equal(joinPath('', path), path)
    t.end()
  })
}

const REFUSED = [
  '',
  'chat',
  'http://evil/',
  '//evil/x',
  '/../admin',
  '/a/..',
  '/a/../b',
  '/a/./b',
  '/models/../x?y',
  '/a/..?q',
  '/a/%2e%2E/b',
  '/a/.%2e/b',
  '/a/..%2fb',
  '/a%2f..%2fb',
  '/a%5c..%5cb',
  '/a\\..\\b',
  '/a#b',
  '/a b',
  '/a\r\nx: y',
  '/ä',
  '/a\0',
]
for (const path of REFUSED) {
  test(`refuses ${JSON.stringify(path)}`, (t) => {
    t.throws(() => joinPath('/v1', path), { name: 'GatewayError', message: /not allowed in a request/ })
    t.end()
  })
}
