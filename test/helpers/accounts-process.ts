// A gateway as main/launch starts it, in a process whose parent calls its account store by messages: without the admin API, and at
// any moment that a test needs.
import { connectAccounts } from '../../src/accounts/client.js'
import { type AccountCalls } from '../../src/accounts/store.js'
import { originOf } from '../../src/config/banner.js'
import { readCatalog, readConfig } from '../../src/config/read.js'
import { GatewayError } from '../../src/errors.js'
import { startAccountsThread } from '../../src/gateway/accounts/accounts-thread.js'
import { JobThread } from '../../src/gateway/job-thread.js'
import { createCells } from '../../src/gateway/loop.js'
import { createGateway } from '../../src/gateway.js'
import { workerEntry } from '../../src/package-files.js'
import { Supervisor } from '../../src/threads/supervisor.js'

export type StoreCall = { readonly n: number; readonly name: keyof AccountCalls; readonly args: readonly unknown[] }
export type StoreReply = { readonly n: number; readonly value?: unknown; readonly error?: unknown }

const { config } = readConfig({ config: process.argv[2] ?? '' }, readCatalog())
const fail = (message: string): void => {
  process.stderr.write(`${message}\n`)
}
const cells = createCells(config)
const accounts = await startAccountsThread(config, cells, fail)
const jobs = new JobThread({ path: config.jobs.path, onTrouble: fail })
const connectStore = async (store: 'jobs' | 'accounts') => (store === 'jobs' ? jobs.connect() : accounts.connect())
const first = createGateway(config, cells, {
  ...{ loopIndex: 0, connectStore },
  connectLoop: async (loopIndex, purpose) => supervisor.connectLoop(loopIndex, purpose),
})
const supervisor = new Supervisor({
  ...{ config, cells, createLoop: () => first, connectStore, frontendUrl: workerEntry('frontend') },
  onLoopDied: fail,
})
const port = await supervisor.start()
const store = connectAccounts(accounts.connect())
process.on('message', ({ n, name, args }: StoreCall) => {
  const call = store[name] as (...args: readonly unknown[]) => Promise<unknown>
  call(...args).then(
    (value) => process.send?.({ n, value } satisfies StoreReply),
    (thrown: unknown) => {
      const error = thrown instanceof GatewayError ? thrown.data : String(thrown)
      process.send?.({ n, error } satisfies StoreReply)
    },
  )
})
process.stdout.write(`Sluice for tests on ${originOf(config, port)}\n`)
