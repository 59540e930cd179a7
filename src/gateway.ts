// Composition root of ONE event loop: starts, reloads, drains and closes the parts in gateway/. gateway/loop.ts has the parts that
// live as long as the loop, gateway/generations.ts those of one configuration, gateway/loop-server.ts the server for clients.
import { type MessagePort } from 'node:worker_threads'
import { type SlotTable } from './config/live/slot-table.js'
import { type Config } from './config/types.js'
import { joinAccounts } from './gateway/accounts/accounts-thread.js'
import { type LoopAdmin } from './gateway/admin/loop-admin.js'
import {
  announcePrices,
  announceReload,
  announceStart,
  type ConfigPlaces,
  type PriceReport,
  type ReloadReport,
  type StartFacts,
} from './gateway/announce.js'
import { CLOCK } from './gateway/clock.js'
import { drain, drainableOf, endNow } from './gateway/drain.js'
import { type LoopResources } from './gateway/generation.js'
import { pipelinesOf, renew, tend, watchAccounts } from './gateway/generations.js'
import { type Cells, joinLoop, type Loop, type LoopPlace, type PeerPurpose } from './gateway/loop.js'
import { createLoopServer, viewOf } from './gateway/loop-server.js'
import { createResponseJobs, runsAsJobs } from './gateway/streams/background-jobs.js'
import { shareAnswers } from './gateway/streams/shared-answers.js'
import { drainLimits, shareStreams } from './gateway/streams/shared-streams.js'
import { type Server } from './server/app.js'
import { reopenLog } from './telemetry/log/log.js'

export type Gateway = {
  /** Resolves with the port it listens on. @throws misconfigured when the port is not available */
  listen(port: number): Promise<number>
  /**
   * New requests get this configuration; those under way keep theirs.
   * @throws misconfigured, with nothing changed
   */
  reload(config: Config, ledger: SlotTable): void
  /** Opens the job store now. @throws misconfigured, naming the file, when it cannot be opened */
  openJobs(): Promise<void>
  /** Logs that the job store could not be created if it were needed now. */
  tellJobStoreFault(reason: string): void
  /** Where the admin API listens, on the loop that has it; null before that, and where it is off. */
  readonly adminUrl: string | null
  /** Only one loop of a process logs these. */
  tellStart(facts: StartFacts, places: ConfigPlaces): void
  tellReload(report: ReloadReport): void
  /** Logs the result of a download of the price list. */
  tellPrices(report: PriceReport): void
  /** Reopens the log file at its path. Never rejects. */
  reopenLog(): Promise<void>
  /** Another event loop reaches the kept streams of this one, or its store of answers, through the port. */
  acceptPeer(port: MessagePort, purpose: PeerPurpose): void
  /** Serves new work for `graceMs` more, lets open exchanges end until `server.drainMs` has passed, then ends them. */
  drain(graceMs: number): Promise<void>
  /** Closes what other loops reach through this one; after their drain. */
  closeStores(): Promise<void>
  /** Ends everything open in the same way as the end of a drain, closes, and writes the log. */
  endNow(): Promise<void>
  /** Cuts everything open. A thread whose engine is not closed crashes the process when it ends. */
  close(): void
}

/** The last frames of kept streams and their ends go to Redis; shorter where the process is to end at once. */
const STORE_MS = 1000
const STORE_AT_ONCE_MS = 300
/** The same for the last spans. */
const SPANS_MS = 1000
const SPANS_AT_ONCE_MS = 300

/** Builds one event loop. It does not listen, connect or start a thread before it is called to. */
export function createGateway(config: Config, cells: Cells, place: LoopPlace): Gateway {
  const { loopIndex } = place
  const loop = joinLoop(config, cells, place)
  const { ground } = loop
  let onReady: () => void = () => undefined
  /** Runs need the store of answers and the streams. */
  const ready = new Promise<void>((resolve) => {
    onReady = resolve
  })
  if (runsAsJobs(config)) loop.jobs.createResponseJobs = (store) => ready.then(() => createResponseJobs(loop, store))
  let isReady = false
  let server: Server | null = null
  let admin: LoopAdmin | null = null
  let adminUrl: string | null = null
  return {
    async listen(port) {
      server = createLoopServer(loop, { port, loopIndex, isReady: () => isReady })
      // Before the first request, so that none is admitted without regard to the other nodes.
      await Promise.all([
        ...[ground.sharedLimits?.start(), shareStreams(loop), shareAnswers(loop), joinAccounts(loop, place)],
        ...[ground.responses.start(() => loop.current.log), ground.spans?.start()],
      ])
      admin = loop.ground.tap === null ? null : await joinAdmin(loop, place, server)
      // Before clients come: an address that cannot be had is no reason to cut them off.
      if (loopIndex === 0) adminUrl = (await admin?.listen()) ?? null
      const bound = await server.listen()
      tend(loop, server)
      watchAccounts(loop, server)
      isReady = true
      onReady()
      return bound
    },
    reload(next, ledger) {
      const renewTls = server?.prepareTls(next.server.tls) ?? null
      const renewAdminTls = admin?.prepareTls(next) ?? null
      renew(loop, next, ledger)
      server?.show(viewOf(loop))
      renewTls?.()
      admin?.renewed()
      renewAdminTls?.()
    },
    async openJobs() {
      await loop.jobs.store.open()
    },
    get adminUrl() {
      return adminUrl
    },
    tellJobStoreFault: (reason) => loop.jobs.tellFault(reason),
    tellStart(facts, places) {
      admin?.tellPlaces(places)
      announceStart(loop.current, adminUrl === null ? facts : { ...facts, admin: adminUrl })
    },
    tellReload(report) {
      admin?.tellReload(report)
      announceReload(report, { log: loop.current.log, metrics: ground.metrics })
    },
    tellPrices: (report) => announcePrices(report, loop.current.log),
    reopenLog: () => reopenLog(ground.logDestination, loop.current.log, 'reopen'),
    acceptPeer(port, purpose) {
      if (purpose === 'streams') ground.keptStreams.accept(port)
      else if (purpose === 'responses') ground.responses.accept(port)
      else admin?.accept(port)
    },
    async drain(graceMs) {
      isReady = false
      server?.sendAway()
      const limits = drainLimits(loop.current.config)
      const stopping = loop.jobs.stop(limits.drainMs)
      const times = { ...limits, graceMs, nowMs: CLOCK.nowMs, pause }
      await drain(drainableOf(pipelinesOf(loop), server, leavingOf(ground)), times)
      await ground.keptStreams.close(STORE_MS)
      ground.sharing.cache.close?.()
      server?.close()
      admin?.close()
      await stopping
      await loop.jobs.close()
      await storeSpend(loop)
      loop.accounts?.close()
      if (loopIndex !== 0) await ground.responses.close()
      await ground.sharedLimits?.close()
      await ground.pools.close(0)
      await ground.offload.close()
      await ground.spans?.close(SPANS_MS)
      await ground.logDestination.flush()
    },
    closeStores: () => ground.responses.close(),
    async endNow() {
      isReady = false
      await endNow(drainableOf(pipelinesOf(loop), server, leavingOf(ground)))
      const storing = Promise.race([storeSpend(loop), pause(STORE_AT_ONCE_MS)])
      await ground.keptStreams.close(STORE_AT_ONCE_MS)
      await storing
      ground.sharing.cache.close?.()
      server?.close()
      admin?.close()
      await ground.spans?.close(SPANS_AT_ONCE_MS)
      await ground.logDestination.flush()
    },
    close() {
      server?.close()
      admin?.close()
    },
  }
}

/** What its requests have spent, after the last of them has ended. */
async function storeSpend({ ground, rollupWriter }: Loop): Promise<void> {
  await ground.budgets?.close()
  await rollupWriter?.finish()
}

/** Loaded only where it is on. */
async function joinAdmin(loop: Loop, place: LoopPlace, server: Server): Promise<LoopAdmin> {
  const { LoopAdmin } = await import('./gateway/admin/loop-admin.js')
  return new LoopAdmin(loop, place, () => server.isRefusing)
}

/** Of streams without readers, and of requests without anyone who waits. */
function leavingOf({ keptStreams, sharing }: LoopResources): { leave(): void } {
  return {
    leave() {
      keptStreams.leave()
      sharing.graces.endAll()
    },
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
