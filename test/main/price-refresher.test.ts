// Downloads of a price list from a server of the test's own.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { type Test, test } from 'tap'
import { type PriceReport } from '../../src/gateway/announce.js'
import { PriceRefresher } from '../../src/main/price-refresher.js'
import { readPrices } from '../../src/prices/read-prices.js'
import { NO_PRICES } from '../helpers/pipeline-config.js'

type Answer = (request: IncomingMessage, response: ServerResponse) => void

function listOf(dollars: number): string {
  return JSON.stringify([{ id: 'v', models: [{ id: 'a', match: { equals: 'a' }, prices: { input_mtok: dollars } }] }])
}

/** A list with a tag, as the server of a project gives it. */
function serves(text: string, etag: string): Answer {
  return (request, response) => {
    if (request.headers['if-none-match'] === etag) response.writeHead(304).end()
    else response.writeHead(200, { etag }).end(text)
  }
}

async function setUp(t: Test, answer: Answer) {
  let current = answer
  const server = createServer((request, response) => current(request, response)).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.teardown(() => server.closeAllConnections())
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/prices.json`
  const cache = join(t.testdir(), 'data', 'prices.json')
  const state = { refreshed: 0, reports: [] as PriceReport[] }
  const table = readPrices(JSON.parse(listOf(1)), 'now')
  const refresher = new PriceRefresher({
    prices: () => ({ ...NO_PRICES, enabled: true, url, cache, table }),
    onRefreshed: () => {
      state.refreshed += 1
    },
    tell: (report) => state.reports.push(report),
    nowMs: () => Date.UTC(2026, 10, 29),
  })
  t.teardown(() => refresher.stop())
  const answers = (next: Answer): void => {
    current = next
  }
  return { refresher, url, cache, state, answers }
}

test('a new list is written whole and read by a reload; one that has not changed is not downloaded', async (t) => {
  const { refresher, url, cache, state, answers } = await setUp(t, serves(listOf(2), '"one"'))
  t.same(await refresher.refresh(url), { result: 'refreshed' })
  t.equal(readFileSync(cache, 'utf8'), listOf(2))
  t.same(readdirSync(dirname(cache)), ['prices.json'], 'no draft is left')
  t.same(await refresher.refresh(url), { result: 'unchanged' })
  t.equal(state.refreshed, 1)
  answers(serves(listOf(3), '"two"'))
  t.same(await refresher.refresh(url), { result: 'refreshed' })
  t.equal(readFileSync(cache, 'utf8'), listOf(3))
  t.equal(state.refreshed, 2)
})

test('a list that jumped, is damaged, too large or not there replaces nothing', async (t) => {
  const { refresher, url, cache, state, answers } = await setUp(t, serves(listOf(11), '"x"'))
  t.match(await refresher.refresh(url), { result: 'rejected', reason: /more than 10-fold/ })
  const bad: readonly (readonly [Answer, RegExp])[] = [
    [(_, response) => response.end(listOf(2).slice(0, 20)), /JSON/],
    [(_, response) => response.end('[]'), /no price/],
    [(_, response) => response.writeHead(500).end(), /status 500/],
    [(_, response) => response.writeHead(304).end(), /status 304/],
    [(_, response) => response.end(Buffer.alloc(17 * 1024 * 1024, 0x20)), /larger than 16777216 bytes/],
    [(_, response) => response.destroy(), /fetch failed|terminated|other side closed/],
  ]
  for (const [answer, reason] of bad) {
    answers(answer)
    t.match(await refresher.refresh(url), { result: 'rejected', reason })
  }
  t.notOk(existsSync(cache))
  t.equal(state.refreshed, 0)
})

test('it refreshes at start where a URL is given, and reports it', async (t) => {
  const { refresher, state } = await setUp(t, serves(listOf(2), '"one"'))
  await refresher.start()
  t.same(state.reports, [{ result: 'refreshed' }])
  const idle = new PriceRefresher({
    prices: () => NO_PRICES,
    onRefreshed: () => t.fail('there is no URL'),
    tell: () => t.fail('there is no URL'),
    nowMs: Date.now,
  })
  await idle.start()
  idle.stop()
})

test('a stop abandons a download that hangs', async (t) => {
  let asked: () => void = () => {}
  const hanging = new Promise<void>((resolve) => {
    asked = resolve
  })
  const { refresher, state } = await setUp(t, () => asked())
  const started = refresher.start()
  await hanging
  refresher.stop()
  await started
  t.match(state.reports, [{ result: 'rejected', reason: /abort/i }])
})
