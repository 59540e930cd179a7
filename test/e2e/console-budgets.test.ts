// The console's budgets, in a real Chromium: what a request takes of one is seen by itself. Skipped where there is no Chromium.
import { join } from 'node:path'
import { test } from 'tap'
import { IN_CHROMIUM } from '../helpers/browser.js'
import { openConsole, startConsole, stream, WRITE_KEY } from '../helpers/console.js'
import { LOOKS } from '../helpers/visitor.js'

test('a budget shows what requests have taken of it, without being asked', IN_CHROMIUM, async (t) => {
  const accounts = { store: 'sqlite', path: join(t.testdir(), 'accounts.db') }
  const { gateway, url, admin } = await startConsole(t, { tokensPerSec: 400, config: { accounts } })
  const create = await fetch(`${admin}/admin/v1/budgets`, {
    method: 'POST',
    headers: { authorization: `Bearer ${WRITE_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'all-of-us', scope: 'gateway', per: 'day', tokens: 100 }),
  })
  t.equal(create.status, 201)
  for (const [index, look] of LOOKS.entries()) {
    const { page, faults, check, picture, until } = await openConsole(t, url, look, { at: '#/budgets' })
    const row = page.getByRole('row').filter({ hasText: 'all-of-us' })
    await row.getByText('100 tok per day').waitFor()
    const spent = (await row.locator('[data-label=Spent]').textContent()) ?? ''
    await stream(gateway, `budget-${index}`, { model: 'openai/echo', max_tokens: 10 })
    await until(`document.querySelector('[data-label=Spent]').textContent !== ${JSON.stringify(spent)}`)
    t.match(await row.locator('[data-label=Left]').textContent(), /^\d\d tok$/)
    t.same(await check(), [], JSON.stringify(look))
    await picture('budgets')
    t.same(faults, [])
    await page.context().close()
  }
})
