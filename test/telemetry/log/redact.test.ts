// Secrets never get through, by value, by look and by name; errors come out small.
import { createHash } from 'node:crypto'
import { test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { createRedactor } from '../../../src/telemetry/log/redact.js'

const SECRETS = ['canary+provider/key=1', 'canary"quoted\\key', 'canary', 'abc']
const redactor = createRedactor(SECRETS)

test('a known secret is removed in every form it may take', (t) => {
  const forms = SECRETS.slice(0, 3).flatMap((secret) => [
    secret,
    JSON.stringify(secret),
    encodeURIComponent(secret),
    secret.toUpperCase(),
    Buffer.from(secret).toString('base64'),
    Buffer.from(secret).toString('base64').replaceAll('=', ''),
  ])
  for (const form of forms) {
    const text = redactor.text(`before ${form} after ${form}`)
    t.notMatch(text, /canary|provider|quoted|Y2FuYX/i, form)
    t.match(text, /^before "?\[redacted\].* after "?\[redacted\]/)
  }
  t.end()
})

test('a key known by its digest alone is removed as a word, and as a part of one', (t) => {
  const digestOf = (key: string) => createHash('sha256').update(key).digest('hex')
  const keys = ['team-key-0001', 'odd/key:with=marks']
  const found = createRedactor([], { digests: keys.map(digestOf) })
  for (const key of keys) {
    for (const [before, after] of [
      ['', ''],
      ["The model '", "' does not exist."],
      ['Unsupported provider: ', '. Configured: a'],
      ['wrong ', ''],
    ]) {
      t.equal(found.text(before + key + after), `${before}[redacted]${after}`, `${before}...`)
    }
  }
  t.equal(found.text('openai/team-key-0001'), 'openai/[redacted]')
  t.equal(found.text('a?key=team-key-0001&b'), 'a?key=[redacted]&b')
  const paths = ['/models/m%3Fkey%3Dteam-key-0001:x', '/m%3f%E0key%3dteam-key-0001', '/v1/team%2Dkey%2D0001']
  for (const path of [...paths, 'team%2Dkey%2D0001']) {
    t.match(found.text(path), /\[redacted\]/, path)
    t.notMatch(found.text(path), /0001/, path)
  }
  const stray = found.text('/models/m%3Fkey%3Dsk-proj-0123456789abcdef:x')
  t.notMatch(stray, /0123456789/, 'a key that nobody knows, by its look')
  t.equal(found.text('/v1/models/a%2Fb%3Fteam-key-0002'), '/v1/models/a%2Fb%3Fteam-key-0002', 'else it stays as it is')
  t.equal(found.text('openai/team-key-0002'), 'openai/team-key-0002')
  t.equal(found.text('openai/team-key-0002'), 'openai/team-key-0002', 'the second time as well')
  t.end()
})

test('what is too short to be a secret is left alone', (t) => {
  t.equal(redactor.text('abc def'), 'abc def')
  t.equal(createRedactor([]).text('canary'), 'canary')
  t.end()
})

test('removes what looks like a key, even if it is not configured', (t) => {
  const texts: [string, string][] = [
    ['key sk-proj-AbC_123456789xyz.', 'key [redacted].'],
    ['gsk_0123456789abcdef', '[redacted]'],
    ['AIzaSyA-0123456789_abcdefg', '[redacted]'],
    ['Authorization: Bearer abc.def-123', 'Authorization: Bearer [redacted]'],
    ['authorization: basic dXNlcjpwYXNz', 'authorization: basic [redacted]'],
    ['token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln', 'token [redacted]'],
    ['https://user:pass@host/path', 'https://[redacted]@host/path'],
    ['https://host/x?key=secret1&model=m', 'https://host/x?key=[redacted]&model=m'],
    ['https://host/x?a=1&api_key=secret1 refused', 'https://host/x?a=1&api_key=[redacted] refused'],
  ]
  for (const [text, clean] of texts) t.equal(redactor.text(text), clean)
  t.end()
})

test('ordinary model names and messages stay as they are', (t) => {
  for (const text of [
    'gpt-4o-mini',
    'a/b-8x7B-instruct:free',
    'sk-small',
    'basic info',
    'http://127.0.0.1:8000/v1',
    'ümlaut €',
  ]) {
    t.equal(redactor.text(text), text)
  }
  t.end()
})

test('long texts are cut, and a secret at the cut does not show its beginning', (t) => {
  const cut = redactor.text('x'.repeat(10_000))
  t.equal(cut.length, 503)
  t.match(cut, /x\.\.\.$/)
  const secret = `secret-${'s'.repeat(200)}`
  const many = createRedactor([secret])
  for (let shift = 0; shift < secret.length; shift++) {
    const text = many.text('-'.repeat(shift) + secret.repeat(30))
    if (/secret|s{3}/.test(text)) return t.fail(`shows ${text} at ${shift}`)
  }
  t.end()
})

test('fields are copied without secrets: by value at any depth, and by name', (t) => {
  const clean = redactor.fields({
    url: 'https://host/?q=canary',
    apiKey: 'x',
    headers: { Authorization: 'y', 'x-api-key': ['z'], accept: 'canary' },
    token: { nested: 'q' },
    keys: 3,
    hasToken: true,
    list: ['canary', { password: 'p' }, null],
    bytes: Buffer.from('canary'),
    big: 10n,
    run() {},
    canary: 1,
  })
  t.same(clean, {
    url: 'https://host/?q=[redacted]',
    apiKey: '[redacted]',
    headers: { Authorization: '[redacted]', 'x-api-key': '[redacted]', accept: '[redacted]' },
    token: '[redacted]',
    keys: 3,
    hasToken: true,
    list: ['[redacted]', { password: '[redacted]' }, null],
    bytes: '[6 bytes]',
    big: '10',
    run: undefined,
    '[redacted]': 1,
  })
  t.end()
})

test('fields are bounded in depth and length, so that a ring comes to an end', (t) => {
  const ring: Record<string, unknown> = { list: Array.from({ length: 1000 }, (_, i) => i) }
  ring.self = ring
  const text = JSON.stringify(redactor.fields(ring))
  t.match(text, /"self":"\[\.\.\.\]"/)
  t.ok(text.length < 5000)
  t.end()
})

test('an error is cut down to its chain of name, code, message and place', (t) => {
  const root = Object.assign(new Error('connect ECONNREFUSED canary'), {
    code: 'ECONNREFUSED',
    body: 'canary',
    headers: {},
  })
  const wrapped = new GatewayError('upstream_unreachable', { cause: new TypeError('failed', { cause: root }) })
  const line = redactor.cause(wrapped)
  t.match(line, {
    name: 'GatewayError',
    code: 'upstream_unreachable',
    message: 'The provider could not be reached.',
    cause: { name: 'TypeError', message: 'failed', at: /redact\.test/, cause: { code: 'ECONNREFUSED' } },
  })
  t.notOk(line?.at)
  t.notMatch(JSON.stringify(line), /canary|body|headers/)
  t.same(redactor.fields({ error: root }), { error: redactor.cause(root) })
  t.end()
})

test('the chain of causes ends, also when it bites its tail', (t) => {
  const error = new Error('ring')
  error.cause = error
  t.equal(JSON.stringify(redactor.cause(error)).split('"ring"').length - 1, 4)
  t.end()
})

test('an aggregate shows the first of its errors', (t) => {
  t.match(redactor.cause(new AggregateError([new Error('first'), new Error('second')], 'all')), {
    cause: { message: 'first' },
  })
  t.end()
})

test('no message quotes the body that could not be read', (t) => {
  for (const body of [
    '{"prompt": hello}',
    'my secret prompt',
    '{"a":"my secret prompt',
    '[1,',
    '{"x":1}my secret prompt and more of it',
  ]) {
    try {
      JSON.parse(body)
      t.fail('parsed')
    } catch (error) {
      const line = redactor.cause(error)
      t.equal(line?.name, 'SyntaxError')
      t.notMatch(JSON.stringify({ ...line, at: '' }), /hello|prompt|secret/)
    }
  }
  try {
    Buffer.alloc(1).writeInt8(1, 'my secret prompt' as unknown as number)
  } catch (error) {
    t.notMatch(JSON.stringify(redactor.cause(error)), /secret/)
    t.match(redactor.cause(error), { code: 'ERR_INVALID_ARG_TYPE', message: /must be of type number/ })
  }
  t.end()
})

test('whatever else is thrown is named by its type', (t) => {
  t.same(redactor.cause('canary thrown'), { name: 'string', message: '[redacted] thrown' })
  t.same(redactor.cause({ body: 'canary' }), { name: 'object', message: '' })
  t.equal(redactor.cause(null), null)
  t.equal(redactor.cause(undefined), null)
  t.match(redactor.cause(Object.assign(new Error(''), { code: 7, stack: undefined })), {
    name: 'Error',
    code: '7',
    message: '',
  })
  t.end()
})

test('a field called key shows the name of a gateway key, and nothing else', (t) => {
  const named = createRedactor(SECRETS, { names: ['team-a'] })
  t.same(named.fields({ key: 'team-a' }), { key: 'team-a' })
  t.same(named.fields({ key: 'team-b' }), { key: '[redacted]' })
  t.same(named.fields({ apiKey: 'team-a', key: { name: 'team-a' } }), { apiKey: '[redacted]', key: '[redacted]' })
  t.end()
})

test('where not all keys are known by name, a field that holds one may show what has the form of a name, and no key', (t) => {
  const redactor = createRedactor(SECRETS, { hasFurtherNames: true })
  t.same(redactor.fields({ key: 'app-1' }), { key: 'app-1' })
  const secret = `sk-sluice-${'0aB'.repeat(14)}1`
  t.notMatch(JSON.stringify(redactor.fields({ key: secret })), secret)
  t.notMatch(JSON.stringify(redactor.fields({ key: 'two words' })), 'two words')
  t.notMatch(JSON.stringify(redactor.fields({ apiKey: 'app-1' })), 'app-1')
  t.end()
})

test('a text of any length has a secret or none', (t) => {
  const long = 'word '.repeat(10_000)
  for (const secret of SECRETS.slice(0, 3)) {
    for (const form of [secret, JSON.stringify(secret), encodeURIComponent(secret)])
      t.ok(redactor.hasSecret(`${long}${form}`), form)
  }
  t.ok(redactor.hasSecret(`${long} sk-sluice-${'0aB'.repeat(14)}1`))
  t.notOk(redactor.hasSecret(`${long} 100 %, a key of the piano, sk-`))
  t.end()
})
