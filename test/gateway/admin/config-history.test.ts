// What a reload changed, as the admin API shows it: single values, secrets only as changed.
import { test } from 'tap'
import { ConfigHistory } from '../../../src/gateway/admin/config-history.js'
import { load } from '../../config/sources.js'

const FIRST = load('server: { drainMs: 5 }\nmetrics: { token: CANARY-one }\nproviders: { ollama: {} }').config
const at = (path: string) => ({ path })

function setUp() {
  let nowMs = 0
  const history = new ConfigHistory(FIRST, () => ++nowMs)
  history.placed({ file: '/w/sluice.yaml', origins: { 'server.drainMs': 'sluice.yaml:1' } })
  return history
}

test('before a reload there is the configuration with its origins, in the form of the file, without a secret', async (t) => {
  const report = setUp().report(FIRST)
  t.match(report, {
    file: '/w/sluice.yaml',
    startedAtMs: 1,
    reload: null,
    origins: { 'server.drainMs': 'sluice.yaml:1' },
  })
  t.match(report.config, { server: { drainMs: 5 }, metrics: { token: '********' } })
  t.notMatch(JSON.stringify(report), /CANARY/)
})

test('a reload tells each value that differs, what needs a restart, and the new origins', async (t) => {
  const history = setUp()
  const next = load(
    'server: { drainMs: 7 }\nmetrics: { token: CANARY-one }\nproviders: { ollama: {}, vllm: { baseUrl: "http://h/v1" } }',
  ).config
  const sources = { file: '/w/sluice.yaml', origins: { 'server.drainMs': 'sluice.yaml:9' } }
  history.reloaded({ result: 'ok', warnings: [], kept: ['server.port'], sources }, next)
  const { reload, origins } = history.report(next)
  t.match(reload, { atMs: 2, result: 'ok', reason: null, kept: ['server.port'] })
  t.match(reload?.changes, [{ path: 'server.drainMs', before: 5, after: 7 }, at('providers.vllm')])
  t.equal(reload?.changes.length, 2)
  t.same(origins, sources.origins)
})

test('a secret that changed is said to have, and not what it is', async (t) => {
  const history = setUp()
  const next = load('server: { drainMs: 5 }\nmetrics: { token: CANARY-two }\nproviders: { ollama: {} }').config
  history.reloaded({ result: 'ok', warnings: [], kept: [] }, next)
  const { reload } = history.report(next)
  t.equal(reload?.changes.length, 1)
  t.notMatch(JSON.stringify(reload), /CANARY/)
})

test('a rejected reload tells why, and the next one is compared with what runs', async (t) => {
  const history = setUp()
  history.reloaded({ result: 'rejected', reason: 'server.port: must be an integer' }, FIRST)
  t.match(history.report(FIRST).reload, { result: 'rejected', reason: /^server\.port/, changes: [], kept: [] })
  history.reloaded({ result: 'unchanged', warnings: [], kept: [] }, FIRST)
  t.match(history.report(FIRST).reload, { result: 'unchanged', reason: null, changes: [] })
})
