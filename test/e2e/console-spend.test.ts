// The console's spend, in a real Chromium: by day and by key, as a chart, a table and CSV. Skipped where there is no Chromium.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { IN_CHROMIUM } from '../helpers/browser.js'
import { openConsole, startConsole, stream, WRITE_KEY } from '../helpers/console.js'
import { LOOKS } from '../helpers/visitor.js'

test('what was spent is seen by day and by key, and saved as CSV', IN_CHROMIUM, async (t) => {
  const accounts = { store: 'sqlite', path: join(t.testdir(), 'accounts.db') }
  const prices = { enabled: true, models: { 'openai/echo': { input: 1000, output: 2000 } } }
  const { gateway, url, admin } = await startConsole(t, { tokensPerSec: 400, config: { accounts, prices } })
  for (const id of ['spent-1', 'spent-2']) await stream(gateway, id, { model: 'openai/echo' })
  const headers = { authorization: `Bearer ${WRITE_KEY}` }
  for (;;) {
    // Rollups are written once in a while.
    const report = (await (await fetch(`${admin}/admin/v1/spend`, { headers })).json()) as {
      total: { requests: number }
    }
    if (report.total.requests === 2) break
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  for (const look of LOOKS) {
    const { page, faults, check, picture } = await openConsole(t, url, look, { at: '#/spend' })
    await page.getByText(/^\$0\.0\d+ for 2 requests\.$/).waitFor()
    await page.getByRole('img', { name: /^Cost by day/ }).waitFor()
    t.equal(await page.locator('.chart rect').count(), 30, 'each day')
    t.match(await page.locator('.chart .marks').textContent(), /^\$0\.0\d.*\$0\.00$/)
    t.same(await check(), [], JSON.stringify(look))
    await picture('spend')
    await page.getByLabel('By', { exact: true }).selectOption('key')
    const row = page.getByRole('row').filter({ hasText: 'app' })
    t.match(await row.locator('[data-label=Requests]').textContent(), '2')
    t.match(page.url(), /#\/spend\?by=key&from=.*&to=/)
    const [saved] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Save as CSV' }).click(),
    ])
    t.match(saved.suggestedFilename(), /^spend-by-key-.*\.csv$/)
    t.match(readFileSync(await saved.path(), 'utf8'), /^key,keyId,requests.*\r?\napp,/)
    t.same(
      faults.filter((fault) => !fault.startsWith('request to blob:')),
      [],
    )
    await page.context().close()
  }
})
