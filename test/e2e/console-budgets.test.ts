// The console's budgets, in a real Chromium: one is created, changed, adjusted and deleted, and what a request takes of it is seen by
// itself. Skipped where there is no Chromium.
import { join } from 'node:path'
import { test } from 'tap'
import { IN_CHROMIUM } from '../helpers/browser.js'
import { openConsole, READ_KEY, startConsole, stream, WRITE_KEY } from '../helpers/console.js'
import { DESK, LOOKS } from '../helpers/visitor.js'

test('budgets', IN_CHROMIUM, async (t) => {
  const accounts = { store: 'sqlite', path: join(t.testdir(), 'accounts.db') }
  const { gateway, url, admin } = await startConsole(t, { tokensPerSec: 400, config: { accounts } })
  const headers = { authorization: `Bearer ${WRITE_KEY}`, 'content-type': 'application/json' }
  const ask = async (method: string, path: string, body: object | null = null) => {
    const init = { method, headers, ...(body === null ? {} : { body: JSON.stringify(body) }) }
    const answer = await fetch(`${admin}/admin/v1${path}`, init)
    return { status: answer.status, body: (await answer.json()) as { data?: unknown } }
  }

  await t.test('one shows what requests have taken of it, without being asked', async (t) => {
    const terms = { name: 'all-of-us', scope: 'gateway', per: 'day', tokens: 100 }
    t.match(await ask('POST', '/budgets', terms), { status: 201 })
    for (const [index, look] of LOOKS.entries()) {
      const { page, faults, check, picture, passTime } = await openConsole(t, url, look, {
        at: '#/budgets',
        hasClock: true,
      })
      const row = page.getByRole('row').filter({ hasText: 'all-of-us' })
      await row.getByText('100 tok per day').waitFor()
      const spent = row.locator('[data-label=Spent]')
      const before = await spent.textContent()
      await stream(gateway, `budget-${index}`, { model: 'openai/echo', max_tokens: 10 })
      await gateway.exchange(`budget-${index}`)
      await passTime(async () => (await spent.textContent()) !== before)
      t.match(await row.locator('[data-label=Left]').textContent(), /^\d\d tok$/)
      t.same(await check(), [], JSON.stringify(look))
      await picture('budgets')
      t.same(faults, [])
      await page.context().close()
    }
  })

  await t.test(
    'one of a key is created, changed, adjusted for a reason and deleted, by keyboard and mouse',
    async (t) => {
      await ask('POST', '/keys', { name: 'payer', models: ['*'] })
      for (const [index, look] of LOOKS.entries()) {
        const name = `monthly-${index}`
        const { page, faults, check, picture } = await openConsole(t, url, look, { at: '#/keys/payer' })
        await page.getByRole('link', { name: 'Its budgets' }).click()
        await page.getByText('There are no budgets.').waitFor()
        await page.getByRole('button', { name: 'New budget' }).press('Enter')
        await page.getByLabel('Name').fill(name)
        t.equal(await page.getByLabel('Of', { exact: true }).inputValue(), 'key')
        t.equal(await page.getByLabel('Which').inputValue(), 'payer')
        await page.getByLabel('Which').fill('nobody')
        await page.getByLabel('Amount').fill('12.5')
        t.same(await check(), [], JSON.stringify(look))
        await picture('budget-new')
        await page.keyboard.press('Enter')
        await page.getByText('There is no key nobody in the database.').waitFor()
        t.same(await check(), [])
        await page.getByLabel('Which').fill('payer')
        await page.keyboard.press('Enter')
        await page.locator('dialog').waitFor({ state: 'detached' })
        const row = page.getByRole('row').filter({ hasText: name })
        await row.getByText('$12.50 per month').waitFor()
        t.equal(
          await page.getByRole('row').filter({ hasText: 'all-of-us' }).count(),
          0,
          'that of all is not of this key',
        )

        await row.getByRole('link', { name }).click()
        await page.getByLabel('Limit in dollars').fill('20')
        await page.getByRole('button', { name: 'Save' }).click()
        await page.locator('.facts dd', { hasText: '$20.00 per month' }).waitFor()
        await page.getByLabel('Amount in dollars').fill('3')
        await page.getByLabel('Reason').fill('an outage')
        await page.keyboard.press('Enter')
        await page.getByText('a refund cannot be more than what was spent in this window').waitFor()
        t.same(await check(), [])
        await page.getByLabel('What to do').selectOption('add')
        await page.getByLabel('Amount in dollars').fill('3')
        await page.getByLabel('Reason').fill('<b>the invoice</b>')
        await page.getByRole('button', { name: 'Adjust' }).click()
        await page.locator('.facts dd', { hasText: '$17.00' }).waitFor()
        await page.getByLabel('Amount in dollars').fill('1')
        await page.getByLabel('Reason').fill('an outage')
        await page.keyboard.press('Enter')
        await page.locator('.facts dd', { hasText: '$18.00' }).waitFor()
        t.same(await check(), [])
        await picture('budget')
        const { body } = await ask('GET', '/audit?limit=2')
        t.match(body.data, [
          { action: 'budget.adjust', target: name, after: { reason: 'an outage' } },
          { action: 'budget.adjust', target: name, after: { reason: '<b>the invoice</b>' } },
        ])
        await page.getByRole('button', { name: 'Delete' }).click()
        await page.getByRole('button', { name: 'Keep it as it is' }).press('Enter')
        await page.getByRole('button', { name: 'Delete' }).click()
        await page.getByRole('button', { name: 'Delete the budget' }).click()
        await page.getByRole('row').filter({ hasText: 'all-of-us' }).waitFor()
        t.equal(await page.getByRole('row').filter({ hasText: name }).count(), 0)
        t.match(await ask('GET', `/budgets/${name}`), { status: 404 })
        // The browser itself says on its console that answers were errors.
        t.same(
          faults.filter((fault) => !/status of 40[04]/.test(fault)),
          [],
        )
        await page.context().close()
      }
    },
  )

  await t.test('one that another has changed meanwhile is not, and who may only look has no form', async (t) => {
    const { page } = await openConsole(t, url, DESK, { at: '#/budgets/all-of-us' })
    await page.getByLabel('Limit in tokens').fill('300')
    await ask('PATCH', '/budgets/all-of-us', { tokens: 200 })
    await page.getByRole('button', { name: 'Save' }).click()
    await page.locator('.state[data-state=failed]').waitFor()
    await page.locator('.facts dd', { hasText: '200 tok per day' }).waitFor()
    const reader = await openConsole(t, url, DESK, { key: READ_KEY, at: '#/budgets' })
    await reader.page.getByRole('link', { name: 'all-of-us' }).click()
    await reader.page.getByText('200 tok per day').waitFor()
    t.equal(await reader.page.getByRole('button', { name: /Save|Adjust|Delete/ }).count(), 0)
    await reader.page.getByRole('link', { name: 'All budgets' }).click()
    await reader.page.getByRole('link', { name: 'all-of-us' }).waitFor()
    t.equal(await reader.page.getByRole('button', { name: /New/ }).count(), 0)
  })
})
