// The lines of a gateway's own life.
import { test } from 'tap'
import { announceAccepting, announcePrices, announceReload, announceStart } from '../../src/gateway/announce.js'
import { load } from '../config/sources.js'

function setUp() {
  const lines: unknown[][] = []
  const told: unknown[] = []
  const log = {
    info: (fields: object, message: string) => void lines.push(['info', message, fields]),
    warn: (fields: object, message: string) => void lines.push(['warn', message, fields]),
  }
  const metrics = {
    configReload: (result: string) => void told.push(result),
    listenerPaused: (isPaused: boolean) => void told.push(isPaused),
  }
  return { lines, told, log, metrics }
}

const FACTS = { url: 'http://127.0.0.1:3000', version: '1.2.3', engine: 'engine 1' }

test('the first line has the address and what is served, warnings come behind it', (t) => {
  const { lines, log } = setUp()
  const { config } = load(
    `providers: { ollama: {}, openai: { apiKey: "\${NOPE}" } }
models: { fast: ollama/x }`,
  )
  announceStart({ config, log }, FACTS)
  t.same(lines, [
    ['info', 'listening', { ...FACTS, threads: 1, providers: ['ollama'], models: ['fast'] }],
    ['warn', 'configuration warnings', { warnings: ['provider openai is ignored: NOPE is not set'] }],
  ])
  t.end()
})

test('a simulator without any provider is a warning if gateway keys are set, otherwise a first try', (t) => {
  const { lines, log } = setUp()
  announceStart({ config: load('').config, log }, FACTS)
  t.equal(lines.length, 1)
  announceStart({ config: load('', { API_KEYS: 'team-a-key-0123456789' }).config, log }, FACTS)
  t.match(lines.at(-1), ['warn', /built-in simulator in use/])
  t.end()
})

test('the result of a reload appears in log and metric', (t) => {
  const { lines, told, ...voice } = setUp()
  announceReload({ result: 'ok', warnings: [], kept: ['server.port'] }, voice)
  announceReload({ result: 'unchanged', warnings: ['w'], kept: [] }, voice)
  announceReload({ result: 'rejected', reason: 'why' }, voice)
  t.same(told, ['ok', 'unchanged', 'rejected'])
  t.same(
    lines.map(([level]) => level),
    ['warn', 'info', 'info', 'warn', 'warn'],
  )
  t.same(lines[3], ['warn', 'configuration warnings', { warnings: ['w'] }])
  t.match(lines.at(-1), ['warn', /rejected/, { reason: 'why' }])
  t.end()
})

test('running out of descriptors and recovering from it are logged and counted', (t) => {
  const { lines, told, ...voice } = setUp()
  announceAccepting(false, { open: 1 }, voice)
  announceAccepting(true, { open: 0 }, voice)
  t.same(told, [true, false])
  t.match(lines, [
    ['warn', /listeners paused/, { open: 1 }],
    ['info', /listeners resumed/, { open: 0 }],
  ])
  t.end()
})

test('a price list that came, or was rejected, has its line; one that has not changed has none', (t) => {
  const { lines, log } = setUp()
  announcePrices({ result: 'refreshed' }, log)
  announcePrices({ result: 'unchanged' }, log)
  announcePrices({ result: 'rejected', reason: 'why' }, log)
  t.same(lines, [
    ['info', 'price list refreshed', {}],
    ['warn', 'price list not refreshed', { reason: 'why' }],
  ])
  t.end()
})
