// Which proxy a provider gets: by its entry, by the environment for its address, or none.
import { test } from 'tap'
import { renderConfig } from '../../../src/config/check.js'
import { loadConfig } from '../../../src/config/load.js'
import { profileProvider } from '../../../src/config/resolve/providers.js'
import { CATALOG, load, refusalOf, sources } from '../sources.js'

const PROXY = 'http://proxy.test:3128'

/** The proxy of a provider at this address. */
function proxyOf(baseUrl: string, env: Record<string, string> = {}, proxy?: string): string | null | undefined {
  const entry = { protocol: 'openai-chat', baseUrl, ...(proxy === undefined ? {} : { proxy }) }
  const text = JSON.stringify({ providers: { up: entry } })
  return load(text, env).config.providers[0]?.proxy
}

test('the environment’s proxy is taken by the scheme of the address, lower case first', (t) => {
  const env = { HTTPS_PROXY: `${PROXY}1`, https_proxy: `${PROXY}2`, HTTP_PROXY: `${PROXY}3` }
  t.equal(proxyOf('https://api.test/v1', env), `${PROXY}2`)
  t.equal(proxyOf('http://api.test/v1', env), `${PROXY}3`)
  t.equal(proxyOf('https://api.test/v1', { HTTP_PROXY: PROXY }), null)
  t.equal(proxyOf('https://api.test/v1', { https_proxy: '', HTTPS_PROXY: PROXY }), PROXY, 'an empty one is not set')
  t.equal(proxyOf('https://api.test/v1', { HTTPS_PROXY: 'proxy.test:3128' }), PROXY, 'the scheme may be left out')
  t.equal(
    proxyOf('https://api.test/v1', { HTTPS_PROXY: 'https://u:p@proxy.test:8443/' }),
    'https://u:p@proxy.test:8443',
  )
  t.end()
})

test('NO_PROXY exempts names with all below them, addresses, networks and ports', (t) => {
  const rows: readonly [string, string, boolean][] = [
    ['api.test', 'https://api.test/v1', true],
    ['api.test', 'https://eu.api.test/v1', true],
    ['api.test', 'https://myapi.test/v1', false],
    ['.api.test', 'https://eu.api.test/v1', true],
    ['*.api.test', 'https://eu.api.test/v1', true],
    ['API.test', 'https://api.TEST/v1', true],
    ['other.test, api.test', 'https://api.test/v1', true],
    ['other.test api.test', 'https://api.test/v1', true],
    ['api.test:443', 'https://api.test/v1', true],
    ['api.test:8443', 'https://api.test/v1', false],
    ['api.test:8443', 'https://api.test:8443/v1', true],
    ['10.0.0.0/8', 'https://10.1.2.3/v1', true],
    ['10.0.0.0/8', 'https://11.1.2.3/v1', false],
    ['10.1.2.3', 'https://10.1.2.3/v1', true],
    ['2001:db8::/32', 'https://[2001:db8::7]/v1', true],
    ['[2001:db8::7]', 'https://[2001:db8::7]/v1', true],
    ['1.2.3', 'https://9.1.2.3/v1', false],
    ['*', 'https://api.test/v1', true],
    ['', 'https://api.test/v1', false],
  ]
  for (const [list, url, isExempt] of rows) {
    t.equal(proxyOf(url, { HTTPS_PROXY: PROXY, NO_PROXY: list }), isExempt ? null : PROXY, `${list} ${url}`)
  }
  t.equal(
    proxyOf('https://api.test', { HTTPS_PROXY: PROXY, no_proxy: 'api.test', NO_PROXY: 'x' }),
    null,
    'lower case first',
  )
  t.end()
})

test('this machine is never reached through the environment’s proxy; an entry may say so', (t) => {
  const env = { HTTPS_PROXY: PROXY, HTTP_PROXY: PROXY }
  for (const host of ['localhost', '127.0.0.1', '127.9.9.9', '[::1]', 'api.localhost', '[::ffff:127.0.0.1]']) {
    t.equal(proxyOf(`http://${host}:8000/v1`, env), null, host)
  }
  t.equal(proxyOf('http://127.0.0.1:8000/v1', env, `${PROXY}9`), `${PROXY}9`)
  t.equal(load('models: { m: ollama/llama }', env).config.providers[0]?.proxy, null)
  t.equal(profileProvider(CATALOG, 'ollama', load('', env).providerDefaults).proxy, null, 'nor is what was found on it')
  t.end()
})

test('the proxy of an entry takes precedence over the environment, and none disables it', (t) => {
  const env = { HTTPS_PROXY: PROXY, NO_PROXY: '*' }
  t.equal(proxyOf('https://api.test/v1', env, 'http://u:p@own.test:1'), 'http://u:p@own.test:1')
  t.equal(proxyOf('https://api.test/v1', { HTTPS_PROXY: PROXY }, 'none'), null)
  t.end()
})

test('callers with a key of their own go through the proxy as well', (t) => {
  const { config } = load('', { HTTPS_PROXY: PROXY })
  t.equal(config.wellKnown.find(({ provider }) => provider.name === 'openai')?.provider.proxy, PROXY)
  t.end()
})

test('what is no proxy stops the start, and its credentials are not in the message', (t) => {
  for (const wrong of [
    'socks5://u:canary@proxy.test',
    'http://u:canary@proxy.test/path',
    'http://u:canary@',
    'http://u:canary@p?x',
  ]) {
    const message = refusalOf(() => proxyOf('https://api.test', { HTTPS_PROXY: wrong }))
    t.match(message, /^HTTPS_PROXY: must be a proxy URL such as http:\/\/user:password@host:port/, wrong)
    t.notMatch(message, /canary/)
    const own = refusalOf(() => proxyOf('https://api.test', {}, wrong))
    t.match(own, /^providers\.up\.proxy: /, wrong)
    t.notMatch(own, /canary/)
  }
  t.end()
})

test('check shows proxies and the contents of TLS files without what is secret', (t) => {
  const text = JSON.stringify({
    providers: {
      up: {
        protocol: 'openai-chat',
        baseUrl: 'https://api.test',
        proxy: 'http://user-canary:pass-canary@proxy.test:3128',
      },
    },
  })
  const { config } = loadConfig(sources({ files: { '/w/sluice.yaml': text } }))
  const shown = renderConfig(config)
  t.match(shown, /proxy: http:\/\/\*+:\*+@proxy\.test:3128/)
  t.notMatch(shown, /canary/)
  t.end()
})
