// The list of open requests with a thousand of them, in a real Chromium. Skipped where there is no Chromium.
import { type Test, test } from 'tap'
import { readBrowserFile } from '../../src/config/read.js'
import { adminContext, FakeLoop, startAdmin, streamEntry, WRITE_KEY } from '../helpers/admin.js'
import { IN_CHROMIUM } from '../helpers/browser.js'
import { logIn } from '../helpers/console.js'
import { DESK, visit } from '../helpers/visitor.js'

/** Of a thousand that change. In one piece they are a task of 285 ms, in which the page answers nothing. */
const MOST_AT_ONCE = 50
/** How many rows have changed whenever the page has a moment for others: before its next task. */
const NOTE_PIECES = `globalThis.pieces = []
  const list = document.querySelector('.rows')
  globalThis.marked = list.children[500]
  const rowsOf = ({ target, addedNodes, removedNodes }) =>
    target === list ? [...addedNodes, ...removedNodes] : [(target.closest ? target : target.parentElement).closest('.row')]
  new MutationObserver((records) => pieces.push(new Set(records.flatMap(rowsOf)).size))
    .observe(list, { subtree: true, childList: true, characterData: true, attributes: true })`

test(
  'a thousand live streams are updated in place and in pieces, between which the page answers',
  IN_CHROMIUM,
  async (t) => {
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
    await page.evaluate(NOTE_PIECES)
    const from = tick
    await until('marked.previousElementSibling === null || marked.matches(":nth-child(-n+461)")')
    t.ok(tick >= from + 4, `${tick - from} updates`)
    t.ok(await page.evaluate('marked.isConnected'), 'the same element, further up')
    const pieces = (await page.evaluate('pieces')) as number[]
    t.ok(pieces.length > 50, `${pieces.length} pieces`)
    t.ok(Math.max(...pieces) <= MOST_AT_ONCE, `${Math.max(...pieces)} rows at once`)
    t.same(faults, [])
  },
)

async function visitFake(t: Test, streams: () => ReturnType<typeof streamEntry>[]) {
  const { url } = await startAdmin(t, adminContext([new FakeLoop({ streams })]).context, readBrowserFile)
  const visited = await visit(t, `${url}/console`, DESK)
  await logIn(visited.page, WRITE_KEY)
  return visited
}
