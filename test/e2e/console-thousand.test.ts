// The list of open requests with a thousand of them, in a real Chromium. It measures times, so it runs by itself. Skipped where there is
// no Chromium.
import { type Test, test } from 'tap'
import { readBrowserFile } from '../../src/config/read.js'
import { adminContext, FakeLoop, startAdmin, streamEntry, WRITE_KEY } from '../helpers/admin.js'
import { IN_CHROMIUM } from '../helpers/browser.js'
import { logIn } from '../helpers/console.js'
import { DESK, visit } from '../helpers/visitor.js'

test('a thousand live streams are updated in place, and none of them is a task of 100 ms', IN_CHROMIUM, async (t) => {
  let tick = 0
  const streams = () => {
    tick += 1
    // Ten come and ten go each time.
    return Array.from({ length: 1000 }, (_, index) => {
      const at = tick * 10 + index
      const id = `0.seed.${at}`
      return streamEntry({ id, requestId: `req-${at}`, ageMs: 2_000_000 - at * 1000, outputTokens: tick * 7 + index })
    })
  }
  const { page, faults, until } = await visitFake(t, streams)
  await page.getByText('1,000 open: 1,000 streaming').waitFor()
  await page.evaluate(`globalThis.marked = document.querySelectorAll('.rows > .row')[500]; globalThis.tasks = [];
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => Math.round(duration))))
      .observe({ type: 'longtask', buffered: true })`)
  const from = tick
  await until('marked.previousElementSibling === null || marked.matches(":nth-child(-n+461)")')
  t.ok(tick >= from + 4, `${tick - from} updates`)
  t.ok(await page.evaluate('marked.isConnected'), 'the same element, further up')
  const tasks = (await page.evaluate('tasks')) as number[]
  t.comment(`long tasks, those that built the page included: ${tasks.join(', ') || 'none'} ms`)
  // Built in one piece, each update is a task of 285 ms. One that is long now and then is the machine's.
  const late = tasks.filter((ms) => ms >= 100)
  t.ok(late.length < (tick - from) / 2, `${late.length} of ${tick - from} updates have a task of 100 ms`)
  t.same(faults, [])
})

async function visitFake(t: Test, streams: () => ReturnType<typeof streamEntry>[]) {
  const { url } = await startAdmin(t, adminContext([new FakeLoop({ streams })]).context, readBrowserFile)
  const visited = await visit(t, `${url}/console`, DESK)
  await logIn(visited.page, WRITE_KEY)
  return visited
}
