// What a client with a wrong base URL reads, for the slips that people make.
import { test } from 'tap'
import { adviseOnPath } from '../../../src/server/routes/wrong-path.js'
import { startFront } from '../../helpers/front.js'
import { exchangeRaw } from '../../helpers/raw-http.js'

const ROUTES = [
  { method: 'POST', path: '/v1/chat/completions' },
  { method: 'GET', path: '/v1/chat/completions' },
  { method: 'POST', path: '/v1/chat/{provider}' },
  { method: 'POST', path: '/v1/messages' },
  { method: 'GET', path: '/v1/models' },
  { method: 'GET', path: '/v1/models/*' },
  { method: 'POST', path: '/api/chat' },
  { method: 'POST', path: '/stream' },
  { method: 'POST', path: '/own/api/make' },
  { method: 'POST', path: '/v1beta/models/{model}:tell' },
]

test('a wrong base URL is named with the right route and what to change', (t) => {
  const slips: readonly (readonly [string, string, string])[] = [
    ['/v1/v1/messages', 'POST /v1/messages', 'Leave /v1 out of the base URL.'],
    ['/v1/v1/chat/completions', 'POST /v1/chat/completions', 'Leave /v1 out of the base URL.'],
    ['/chat/completions', 'POST /v1/chat/completions', 'The base URL must end in /v1.'],
    ['/messages', 'POST /v1/messages', 'The base URL must end in /v1.'],
    ['/v1//chat/completions', 'POST /v1/chat/completions', 'The base URL must not end in a slash.'],
    ['//v1/messages', 'POST /v1/messages', 'The base URL must not end in a slash.'],
    ['/v1/chat/completions/', 'POST /v1/chat/completions', 'Its path does not end in a slash.'],
    ['/api/v1/chat/completions', 'POST /v1/chat/completions', 'Leave /api out of the base URL.'],
    [
      '/openai/deployments/gpt-4o/chat/completions',
      'POST /v1/chat/completions',
      'In the base URL, /v1 must replace /openai/deployments/gpt-4o.',
    ],
    ['/models', 'GET /v1/models', 'The base URL must end in /v1.'],
    ['/v1/api/chat', 'POST /api/chat', 'Leave /v1 out of the base URL.'],
    ['/api/make', 'POST /own/api/make', 'The base URL must end in /own.'],
  ]
  for (const [path, route, advice] of slips) {
    const method = route.split(' ')[0] ?? ''
    t.equal(
      adviseOnPath(method.toLowerCase(), path, ROUTES),
      `No such route: ${method} ${path}. Did you mean ${route}? ${advice}`,
    )
  }
  t.end()
})

test('a base URL without the version is named for every route, also for those that are listed as APIs of others', (t) => {
  const more = [
    ...['POST /v1/embeddings', 'GET /v1/files', 'POST /v1/files', 'GET /v1/files/:id', 'DELETE /v1/files/:id'],
    ...['GET /v1/files/:id/content', 'POST /v1/audio/speech', 'POST /v1/completions', 'GET /v1/streams/:id'],
  ].map((row) => ({ method: row.split(' ')[0] ?? '', path: row.split(' ')[1] ?? '' }))
  for (const [method, path, meant] of [
    ['POST', '/embeddings', 'POST /v1/embeddings'],
    ['POST', '/completions', 'POST /v1/completions'],
    ['POST', '/audio/speech', 'POST /v1/audio/speech'],
    ['POST', '/files', 'POST /v1/files'],
    ['GET', '/files', 'GET /v1/files'],
    ['PUT', '/files', 'GET /v1/files'],
    ['DELETE', '/files/file-1', 'DELETE /v1/files/{id}'],
    ['GET', '/files/file-1/content', 'GET /v1/files/{id}/content'],
    ['GET', '/models/a/b', 'GET /v1/models/{id}'],
    ['POST', '/chat/completions', 'POST /v1/chat/completions'],
    ['POST', '/chat/other', 'POST /v1/chat/{provider}'],
  ] as const) {
    const said = `No such route: ${method} ${path}. Did you mean ${meant}? The base URL must end in /v1.`
    t.equal(adviseOnPath(method, path, [...ROUTES, ...more]), said)
  }
  t.match(adviseOnPath('GET', '/files//', [...ROUTES, ...more]), /GET \/v1\/files\?/)
  t.notMatch(adviseOnPath('GET', '/files/a/b/c', [...ROUTES, ...more]), /Did you mean/)
  t.end()
})

test('a path that ends with a verb is meant for the route with that verb', (t) => {
  for (const path of ['/models/a:tell', '/v1/v1beta/models/a/b:tell', '/v1beta/:tell']) {
    const advice = 'Did you mean POST /v1beta/models/{model}:tell?'
    t.equal(adviseOnPath('post', path, ROUTES), `No such route: POST ${path}. ${advice}`)
  }
  t.equal(adviseOnPath('post', '/models/a:sing', ROUTES), 'No such route: POST /models/a:sing.')
  t.end()
})

test('an API that is not spoken is called so', (t) => {
  for (const path of [
    '/v1/responses/resp_1',
    '/v1/embeddings',
    '/v1/completions',
    '/completions',
    '/v1/moderations',
    '/v1/files',
    '/v1/audio/transcriptions',
    '/v1/images/generations',
    '/v1/messages/count_tokens',
    '/v1/messages/batches',
    '/v1/chat/completions/chatcmpl-1/messages',
    ...['/v1/conversations', '/v1/conversations/conv_1/items', '/v1/videos', '/v1/containers', '/v1/skills'],
    ...['/v1beta/cachedContents', '/v1beta/interactions', '/v1beta/models/a:batchGenerateContent'],
    '/v1beta/models/gemini-2.5-flash:predict',
    '/api/pull',
    '/v1/v1/embeddings',
  ]) {
    t.equal(
      adviseOnPath('post', path, ROUTES),
      `No such route: POST ${path}. This gateway does not speak that API; GET /openapi.json lists what it does.`,
    )
  }
  t.end()
})

test('what is like nothing is only named, cut and without control characters', (t) => {
  t.equal(adviseOnPath('get', '/favicon.ico', ROUTES), 'No such route: GET /favicon.ico.')
  t.equal(adviseOnPath('get', '/', ROUTES), 'No such route: GET /.')
  t.equal(adviseOnPath('post', '/make', ROUTES), 'No such route: POST /make.')
  t.equal(adviseOnPath('get', '/a\u0007b\u001b[31m\u{e9}', ROUTES), 'No such route: GET /a?b?[31m?.')
  t.equal(adviseOnPath('get', `/${'x'.repeat(500)}`, ROUTES), `No such route: GET /${'x'.repeat(99)}....`)
  t.end()
})

test('the running gateway says it, never with the query, which may hold a key', async (t) => {
  const { port } = await startFront(t)
  const ask = async (target: string) => {
    const { answers } = await exchangeRaw(port, `POST ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`)
    t.equal(answers[0]?.status, 404)
    return JSON.parse(answers[0]?.body.toString() ?? '{}').error.message
  }
  t.equal(
    await ask('/chat/completions?key=sk-secret'),
    'No such route: POST /chat/completions. Did you mean POST /v1/chat/completions? The base URL must end in /v1.',
  )
  t.match(await ask('/api/v1/models'), 'Did you mean GET /v1/models? Leave /api out of the base URL.')
  t.match(await ask('/v1/responses/resp_1'), /does not speak that API/)
})
