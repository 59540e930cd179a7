// The lines a start and a stop print.
import { test } from 'tap'
import { renderDrainLine, renderStartLine, startLineStream } from '../../src/config/banner.js'
import { withProviders } from '../../src/config/discover.js'
import { simulatorProvider } from '../../src/config/resolve/providers.js'
import { type Config } from '../../src/config/types.js'
import { CATALOG, load } from './sources.js'

const FACTS = { port: 3000, version: '1.2.3', build: 'engine 1', adminUrl: null, isTerminal: false }

function lineOf(text: string, env: Readonly<Record<string, string>> = {}): string {
  return renderStartLine(load(text, env).config, FACTS)
}

/** The model in the curl that is to be pasted. */
function triedModel(line: string): unknown {
  const body = /-d '(\{.*\})'$/.exec(line)?.[1] ?? '{}'
  return (JSON.parse(body) as { model?: unknown }).model
}

test('is one line with address, engine, models and a curl', async (t) => {
  const line = lineOf('models: { fast: openai/gpt-4o }', { OPENAI_API_KEY: 'sk-x' })
  t.match(line, /^Sluice 1\.2\.3 on http:\/\/127\.0\.0\.1:3000 \(engine 1, 1 event loop\) serves fast, openai\//)
  t.match(line, /Try: curl -N http:\/\/127\.0\.0\.1:3000\/v1\/chat\/completions /)
  t.equal(triedModel(line), 'fast')
  t.match(line, ' In a browser: http://127.0.0.1:3000/try. Set ADMIN_KEY for the console. Try: ')
  t.notMatch(line, /\n|sk-x|simulator/)
})

test('says so when it is the simulator that serves', async (t) => {
  const { config, providerDefaults } = load('')
  const line = renderStartLine(
    withProviders(config, [simulatorProvider(CATALOG, 'http://127.0.0.1:1', providerDefaults)]) as Config,
    FACTS,
  )
  t.match(
    line,
    /serves sim\/echo, sim\/lorem, .* \(the built-in simulator, as no provider is configured\)\. In a browser: \S+ Set ADMIN_KEY for the console\. Try:/,
  )
  t.equal(triedModel(line), 'sim/echo')
})

test('has a line for each thing to do where somebody reads it', async (t) => {
  const lines = renderStartLine(load('').config, { ...FACTS, isTerminal: true }).split('\n')
  t.equal(lines.length, 3)
  t.match(lines[1], /^ {2}In a browser: \S+\/try\. Set ADMIN_KEY for the console\.$/)
  t.match(lines[2], /^ {2}Try: curl -N /)
  t.equal(lines.join(' ').replaceAll('   ', ' '), lineOf(''), 'the same words')
})

test('names the console where it is, and how to have one where it is not', async (t) => {
  t.match(lineOf(''), ' Set ADMIN_KEY for the console. Try: ')
  const line = renderStartLine(load('').config, { ...FACTS, adminUrl: 'http://127.0.0.1:3001' })
  t.match(line, ' Console: http://127.0.0.1:3001/console. Try: ')
  t.notMatch(line, 'ADMIN_KEY')
})

test('names the simulator that is configured beside other providers', async (t) => {
  t.match(
    lineOf('providers: { sim: {}, openai: { apiKey: k } }'),
    ' (with the built-in simulator among them, as configured). In a browser:',
  )
})

test('shows models of each provider, however many another has', async (t) => {
  const line = lineOf('', { OPENAI_API_KEY: 'sk-x', ANTHROPIC_API_KEY: 'sk-ant', GROQ_API_KEY: 'gsk' })
  for (const provider of ['openai', 'anthropic', 'groq']) t.match(line, new RegExp(`(serves|,) ${provider}/`))
  t.match(line, / and \d+ more \(GET \/v1\/models\)\. In a browser: \S+ Set ADMIN_KEY for the console\. Try:/)
})

test('names the provider where no model of it is known', async (t) => {
  const line = lineOf('providers: { local: { protocol: openai-chat, baseUrl: "http://127.0.0.1:8000" } }')
  t.match(line, 'serves any model as local/MODEL. In a browser: http')
  t.equal(triedModel(line), 'local/MODEL')
})

test('has a placeholder for the key, brackets for IPv6, https under TLS, and counts event loops', async (t) => {
  const { config } = load('server: { host: "::", threads: 4 }', { API_KEY: 'team-a-key-0123456789' })
  const tls = { certFile: 'c', keyFile: 'k', passphrase: null }
  const line = renderStartLine({ ...config, server: { ...config.server, tls } }, FACTS)
  t.match(line, 'on https://[::]:3000 (engine 1, 4 event loops)')
  t.match(line, '-H "authorization: Bearer $SLUICE_KEY"')
  t.notMatch(line, /team-a-key|\/try\b/)
})

test('a drain that lasts says how long it may and how to end it', async (t) => {
  const alone = renderDrainLine({ drainMs: 30_000, sharedMs: 30_000 })
  t.match(alone, /up to 30 s \(server\.drainMs\)\. A second signal/)
  const shared = renderDrainLine({ drainMs: 30_000, sharedMs: 600_000 })
  t.match(shared, /up to 30 s \(server\.drainMs\), those that other nodes serve for up to 600 s \(streams\.drainMs\)\./)
})

test('the start line leaves a standard output alone that carries the log as JSON, but at a terminal', async (t) => {
  const streamOf = (text: string, isTerminal: boolean) => startLineStream(load(text).config, isTerminal)
  t.equal(streamOf('', false), 'stderr')
  t.equal(streamOf('', true), 'stdout')
  for (const text of ['log: { format: pretty }', 'log: { level: silent }', 'log: { file: /w/log }']) {
    t.equal(streamOf(text, false), 'stdout', text)
  }
})
