// What becomes of a new configuration, with event loops that only take note.
import { utimesSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { openLedger, type SlotTable } from '../../src/config/live/slot-table.js'
import { type Config } from '../../src/config/types.js'
import { GatewayError } from '../../src/errors.js'
import { type ReloadReport } from '../../src/gateway/announce.js'
import { type ReadConfig, Reloader } from '../../src/main/reloader.js'
import { load } from '../config/sources.js'

const keyed = (name: string): Config => load(`keys: [{ name: ${name}, key: "key-of-${name}-0123456789" }]`).config
/** The name of a key that is in the account database. */
const TAKEN = 'taken'
const readOf = (config: Config, rest: Partial<ReadConfig> = {}): ReadConfig => ({
  ...{ config, files: [], configFile: '/w/sluice.yaml', isBlank: false },
  ...rest,
})

function setUp(_t: Test, first = readOf(keyed('a'))) {
  const reads: (() => Promise<ReadConfig>)[] = []
  const swapped: { config: Config; ledger: SlotTable }[] = []
  const reports: ReloadReport[] = []
  let wake: () => void = () => {}
  let refuse: string | null = null
  const reloader = new Reloader({
    read: () => (reads.shift() ?? (async () => first))(),
    first,
    ledger: openLedger(first.config),
    reserve: async ({ keys }) => {
      if (keys.some(({ name }) => name === TAKEN)) throw new GatewayError('misconfigured', { message: 'It is taken.' })
    },
    supervisor: {
      reload: async (config, ledger) => {
        if (refuse !== null) throw new GatewayError('misconfigured', { message: refuse })
        swapped.push({ config, ledger })
      },
    },
    tell: (report) => {
      reports.push(report)
      wake()
    },
  })
  const reload = async (read: () => Promise<ReadConfig>): Promise<ReloadReport | undefined> => {
    reads.push(read)
    const told = new Promise<void>((resolve) => {
      wake = resolve
    })
    reloader.request()
    await told
    return reports.at(-1)
  }
  const refuseWith = (message: string | null): void => {
    refuse = message
  }
  return { reloader, reload, reports, swapped, reads, refuseWith }
}

test('a good one is given to all loops with its places, and is the running one from then on', async (t) => {
  const { reloader, reload, swapped } = setUp(t)
  t.match(await reload(async () => readOf(keyed('b'))), { result: 'ok', kept: [] })
  t.same(swapped[0]?.ledger.keys, ['a', 'b'])
  t.equal(reloader.config.keys[0]?.name, 'b')
  t.match(await reload(async () => readOf(keyed('b'))), { result: 'unchanged' })
  t.equal(swapped.length, 1)
  t.match(await reload(async () => readOf(keyed('c'))), { result: 'ok' })
  t.same(swapped[1]?.ledger.keys, ['a', 'b', 'c'])
})

test('a bad one, one that a loop refuses, an empty and a missing file leave the old one and say why', async (t) => {
  const { reloader, reload, swapped, refuseWith } = setUp(t)
  const bad = async (): Promise<ReadConfig> => {
    throw new GatewayError('misconfigured', { message: 'server.port: must be a number (line 3)' })
  }
  t.same(await reload(bad), { result: 'rejected', reason: 'server.port: must be a number (line 3)' })
  t.match(await reload(async () => readOf(keyed('b'), { isBlank: true })), { result: 'rejected', reason: /empty/ })
  t.match(await reload(async () => readOf(keyed('b'), { configFile: null })), { result: 'rejected', reason: /gone/ })
  refuseWith('It will not do.')
  t.same(await reload(async () => readOf(keyed('b'))), { result: 'rejected', reason: 'It will not do.' })
  refuseWith(null)
  t.same(await reload(async () => readOf(keyed(TAKEN))), { result: 'rejected', reason: 'It is taken.' })
  t.equal(reloader.config.keys[0]?.name, 'a')
  t.equal(swapped.length, 0)
  t.match(await reload(async () => readOf(keyed('b'))), { result: 'ok' }, 'and the next good one is taken')
})

test('a process that never had a file does not miss it', async (t) => {
  const { reload } = setUp(t, readOf(keyed('a'), { configFile: null }))
  t.match(await reload(async () => readOf(keyed('b'), { configFile: null })), { result: 'ok' })
})

test('what needs a restart is named, alone or with what is taken', async (t) => {
  const { reload } = setUp(t)
  const other = (config: Config): Config => ({ ...config, server: { ...config.server, port: 1 } })
  t.match(await reload(async () => readOf(other(keyed('a')))), { result: 'unchanged', kept: ['server.port'] })
  t.match(await reload(async () => readOf(other(keyed('b')))), { result: 'ok', kept: ['server.port'] })
})

test('a renewed certificate is taken, and needs no restart', async (t) => {
  const folder = t.testdir({ 'live.crt': 'one', 'live.key': 'one' })
  const files = { certFile: join(folder, 'live.crt'), keyFile: join(folder, 'live.key'), passphrase: null }
  const shown = (fingerprint: string): ReadConfig => {
    const config = keyed('a')
    return readOf({ ...config, server: { ...config.server, tls: { ...files, fingerprint } } })
  }
  const { reload, reloader } = setUp(t, shown('one'))
  utimesSync(files.certFile, 1, 1)
  const sources = { file: '/w/sluice.yaml', origins: { 'server.port': 'PORT' } }
  const second = { ...shown('two'), origins: sources.origins }
  t.same(await reload(async () => second), { result: 'ok', warnings: [], kept: [], sources })
  t.equal(reloader.config.server.tls?.fingerprint, 'two')
})

test('however often it is asked while one runs, one more follows, with the last word', async (t) => {
  const { reloader, reads, reports } = setUp(t)
  let go: () => void = () => {}
  const slow = new Promise<void>((resolve) => {
    go = resolve
  })
  reads.push(
    async () => {
      await slow
      return readOf(keyed('b'))
    },
    async () => readOf(keyed('c')),
  )
  for (let i = 0; i < 5; i++) reloader.request()
  go()
  while (reports.length < 2) await new Promise(setImmediate)
  await new Promise(setImmediate)
  t.equal(reports.length, 2)
  t.equal(reloader.config.keys[0]?.name, 'c')
})
