// The line a start prints: where, what, and a curl that works when pasted.
import { test } from 'tap'
import { renderStartLine } from '../../src/config/banner.js'
import { withProviders } from '../../src/config/discover.js'
import { type Config } from '../../src/config/types.js'
import { testProvider } from '../helpers/targets.js'
import { load } from './sources.js'

const FACTS = { port: 4321, version: '1.2.3', build: 'native' }

function configWith(server: Partial<Config['server']>, knownModels: readonly string[] = ['a']): Config {
  const { config } = load('')
  const providers = [testProvider('http://h', { name: 'p', apiKey: 'sk-canary-value', knownModels })]
  return withProviders({ ...config, server: { ...config.server, ...server } }, providers)
}

/** The JSON body of the curl in a line. */
function bodyOf(line: string): { model?: string; stream?: boolean } {
  return JSON.parse(/ -d '([^']*)'/.exec(line)?.[1] ?? '{}')
}

test('is one line with the address that really listens', async (t) => {
  const line = renderStartLine(configWith({ host: '127.0.0.1', port: 0 }), FACTS)
  t.notMatch(line, /\n/)
  t.match(line, /1\.2\.3/)
  t.match(line, /http:\/\/127\.0\.0\.1:4321\b/)
  t.match(renderStartLine(configWith({ host: '::1' }), FACTS), 'http://[::1]:4321')
  const tls = { certFile: 'c', keyFile: 'k', passphrase: null }
  t.match(renderStartLine(configWith({ tls }), FACTS), 'https://')
})

test('counts the event loops', async (t) => {
  t.match(renderStartLine(configWith({ threads: 1 }), FACTS), /\b1 event loop\b(?!s)/)
  t.match(renderStartLine(configWith({ threads: 4 }), FACTS), /\b4 event loops\b/)
})

test('has a curl that streams from a model that is served', async (t) => {
  const line = renderStartLine(configWith({}, ['first', 'second']), FACTS)
  t.match(line, 'curl -N http://127.0.0.1:4321/v1/chat/completions')
  t.match(bodyOf(line), { model: 'p/first', stream: true })
  t.notMatch(line, /authorization/i, 'where no key is asked for')
})

test('never shows a key, and has a placeholder where one is asked for', async (t) => {
  const { config } = load(
    'keys: [ { name: team, key: sk-gateway-canary } ]\nproviders: { openai: { apiKey: sk-own-canary } }',
  )
  const line = renderStartLine(config, FACTS)
  t.match(line, /authorization: Bearer \$\w+/)
  t.notMatch(line, /canary/)
  t.notMatch(renderStartLine(configWith({}), FACTS), /canary/)
})

test('names some of many models, and the providers where none is known', async (t) => {
  const many = Array.from({ length: 11 }, (_, index) => `m${index}`)
  const line = renderStartLine(configWith({}, many), FACTS)
  t.match(line, /p\/m0, .*p\/m7 and 3 more/)
  t.notMatch(line, 'p/m8')
  t.match(renderStartLine(configWith({}, []), FACTS), 'p/...')
})
