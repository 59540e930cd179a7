// What a reload changes, and what it must leave as it was.
import { test } from 'tap'
import { planReload } from '../../../src/config/live/reload.js'
import { type Config } from '../../../src/config/types.js'
import { load } from '../sources.js'

const RUNNING = load('server: { port: 3000 }\nlog: { level: info }').config

test('what sockets, threads and memory are made of stays and is named; the rest is new', (t) => {
  const next = load(
    'server: { port: 4000, threads: 2, maxBodyBytes: 2048, drainMs: 7 }\nlog: { level: debug, file: x.log }\nmetrics: { port: 9, token: abc }\noffload: { minBytes: 5 }',
  ).config
  const { config, kept, isUnchanged } = planReload(RUNNING, next)
  t.same(kept, ['server.port', 'server.threads', 'server.maxBodyBytes', 'offload', 'metrics.port', 'log.file'])
  t.equal(isUnchanged, false)
  t.match(config, {
    server: { port: 3000, threads: 1, maxBodyBytes: RUNNING.server.maxBodyBytes, drainMs: 7 },
    log: { level: 'debug', file: null },
    metrics: { port: null, token: 'abc' },
    offload: RUNNING.offload,
  })
  t.ok(Object.isFrozen(config) && Object.isFrozen(config.server))
  t.end()
})

test('every option that is kept is named, and each that is named is kept', (t) => {
  const other: Config = {
    ...RUNNING,
    server: {
      ...{ ...RUNNING.server, host: '::1', port: 1, threads: 9, maxBodyBytes: 1, maxReaderLagBytes: 1 },
      maxMessageBytes: 1,
      tls: { certFile: 'c', keyFile: 'k', passphrase: null },
    },
    admin: {
      ...{ ...RUNNING.admin, host: '::1', port: 1, tls: { certFile: 'c', keyFile: 'k', passphrase: null } },
      keys: [{ name: 'a', keySha256: '0'.repeat(64), role: 'read' }],
    },
    accounts: { ...RUNNING.accounts, store: 'sqlite' },
    offload: { ...RUNNING.offload, workers: 64 },
    limits: { ...RUNNING.limits, failedKeysPerMinute: 1 },
    compat: { ...RUNNING.compat, apiPrefix: '/p', healthStatus: 'up' },
    metrics: { port: 1, token: null },
    jobs: { ...RUNNING.jobs, store: 'redis', path: 'p' },
    streams: { ...RUNNING.streams, store: 'redis', cacheStore: 'redis' },
    responses: { ...RUNNING.responses, maxMessageBytes: 1 },
    redis: { url: 'redis://h' },
    log: { ...RUNNING.log, file: 'f' },
    telemetry: { propagate: ['p'], traces: null },
  }
  const { config, kept, isUnchanged } = planReload(RUNNING, other)
  t.equal(kept.length, 25)
  t.same(config, RUNNING)
  t.equal(isUnchanged, true)
  t.end()
})

test('another certificate is taken, TLS itself is neither turned on nor off', (t) => {
  const under = (tls: Config['server']['tls']): Config => ({ ...RUNNING, server: { ...RUNNING.server, tls } })
  const old = { certFile: 'c', keyFile: 'k', passphrase: null, fingerprint: '1' }
  const renewed = planReload(under(old), under({ ...old, fingerprint: '2' }))
  t.same([renewed.kept, renewed.isUnchanged], [[], false])
  t.equal(renewed.config.server.tls?.fingerprint, '2')
  t.same(planReload(under(old), under(null)).kept, ['server.tls'])
  t.same(planReload(under(null), under(old)).config.server.tls, null)
  t.end()
})

test('keys of the admin API are taken while there are some; the listener is not opened, nor closed', (t) => {
  const having = (names: readonly string[]): Config => {
    const keys = names.map((name) => ({ name, keySha256: '0'.repeat(64), role: 'read' as const }))
    return { ...RUNNING, admin: { ...RUNNING.admin, keys } }
  }
  const names = (config: Config): string[] => config.admin.keys.map(({ name }) => name)
  const other = planReload(having(['a']), having(['b', 'c']))
  t.same([other.kept, names(other.config)], [[], ['b', 'c']])
  const none = planReload(having(['a']), having([]))
  t.same([none.kept, names(none.config)], [['admin.keys'], ['a']])
  const first = planReload(having([]), having(['a']))
  t.same([first.kept, names(first.config)], [['admin.keys'], []])
  t.end()
})

test('the same again is no change', (t) => {
  t.same(planReload(RUNNING, structuredClone(RUNNING)), { config: RUNNING, kept: [], isUnchanged: true })
  t.end()
})
