// The console's requests and providers, in a real Chromium: finding a request that failed and why, pausing a provider. Skipped where
// there is no Chromium.
import { type Route } from 'playwright-core'
import { test } from 'tap'
import { IN_CHROMIUM } from '../helpers/browser.js'
import { openConsole, READ_KEY, startConsole, stream } from '../helpers/console.js'
import { DESK, LOOKS } from '../helpers/visitor.js'

const HOSTILE = '<img src=x onerror=document.title="broken">'
/** The first target is a port at which nothing listens. */
const MODELS = { spare: 'openai/echo', twice: { targets: ['dead/m'], fallbacks: ['spare'] } }

test('requests and providers', IN_CHROMIUM, async (t) => {
  const { gateway, url, admin } = await startConsole(t, {
    tokensPerSec: 100,
    config: { models: MODELS, routing: { retries: { baseDelayMs: 1, maxDelayMs: 1 } } },
    providers: { dead: { protocol: 'openai-chat', baseUrl: 'http://127.0.0.1:9/v1', apiKey: 'k' } },
  })

  await t.test('a request that failed is found by its filter, and its page says why', async (t) => {
    await stream(gateway, 'req-fine', { model: 'openai/echo' })
    await stream(gateway, 'req-bad', { model: HOSTILE })
    await Promise.all([gateway.exchange('req-fine'), gateway.exchange('req-bad')])
    for (const look of LOOKS) {
      const { page, faults, check, picture } = await openConsole(t, url, look, { at: '#/requests' })
      await page.getByRole('row').filter({ hasText: 'req-fine' }).waitFor()
      t.same(await check(), [], JSON.stringify(look))
      await picture('requests')
      await page.getByLabel('Outcome').selectOption('rejected')
      await page.getByRole('row').filter({ hasText: 'req-fine' }).waitFor({ state: 'detached' })
      t.match(page.url(), /#\/requests\?outcome=rejected$/)
      const row = page.getByRole('row').filter({ hasText: 'req-bad' })
      t.match(await row.textContent(), HOSTILE)
      t.match(await row.textContent(), 'rejected: model_not_found')
      await page.reload()
      await row.getByRole('link').click()
      await page.getByText('Where its time went').waitFor()
      t.match(await page.locator('.facts').textContent(), /model_not_found: The model .* does not exist/)
      t.same(await check(), [])
      await picture('request-rejected')
      await page.goBack()
      await row.waitFor()
      t.match(await page.title(), 'Requests')
      t.same(faults, [])
      await page.context().close()
    }
  })

  await t.test('of two questions the later one counts, though the earlier one is answered after it', async (t) => {
    const { page, faults } = await openConsole(t, url, DESK, { at: '#/requests' })
    await page.getByRole('row').filter({ hasText: 'req-fine' }).waitFor()
    const earlier = new Promise<Route>((resolve) => void page.route(/outcome=rejected/, resolve))
    await page.getByLabel('Outcome').selectOption('rejected')
    const held = await earlier
    await page.getByLabel('Outcome').selectOption('failed')
    await page.getByText('No such requests.').waitFor()
    const [answer] = await Promise.all([page.waitForResponse(/outcome=rejected/), held.continue()])
    await answer.finished()
    // A screen that took it would have shown it by the frame after next.
    await page.evaluate(
      'new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(shown))))',
    )
    t.equal(await page.getByText('No such requests.').count(), 1)
    t.equal(await page.getByRole('row').filter({ hasText: 'req-bad' }).count(), 0)
    t.same(faults, [])
  })

  await t.test(
    'the page of a request shows its attempts and where its time went, and copies its question',
    async (t) => {
      await stream(gateway, 'req-twice', { model: 'twice' })
      await gateway.exchange('req-twice')
      for (const look of LOOKS) {
        const { page, faults, check, picture } = await openConsole(t, url, look, { at: '#/requests/req-twice' })
        await page.getByRole('heading', { name: 'Attempts' }).waitFor()
        t.match(await page.locator('.attempts li').first().textContent(), /^dead\/m: .*upstream_unreachable/)
        const spans = await page.locator('.waterfall li').allTextContents()
        t.match(spans.join('\n'), /dead\/m: .*\n(?:Connecting.*ms\n)?To the first token.*ms\nTokens.*ms/)
        t.same(await check(), [], JSON.stringify(look))
        await picture('request')
        await page.getByRole('button', { name: 'Copy as curl' }).click()
        await page.getByText('Copied').waitFor()
        const copied = String(await page.evaluate('navigator.clipboard.readText()'))
        t.equal(copied, `curl -H "authorization: Bearer $ADMIN_KEY" '${admin}/admin/v1/requests?id=req-twice'`)
        t.same(faults, [])
        await page.context().close()
      }
    },
  )

  await t.test('a provider is paused after a question, and resumed; who may only look cannot', async (t) => {
    for (const look of LOOKS) {
      const { page, faults, check, picture } = await openConsole(t, url, look, { at: '#/providers' })
      const row = page.getByRole('row').filter({ has: page.getByRole('link', { name: 'openai', exact: true }) })
      await row.getByText('healthy').waitFor()
      t.match(await row.locator('[data-label=Attempts]').textContent(), '2')
      t.match(await row.locator('[data-label="First token p50"]').textContent(), /ms$/)
      await row.getByRole('button', { name: 'Pause openai' }).press('Enter')
      await page.getByRole('button', { name: 'Pause the provider' }).click()
      await row.getByText('paused (healthy)').waitFor()
      t.same(await check(), [], JSON.stringify(look))
      await picture('providers')
      t.match(await stream(gateway, 'req-paused', { model: 'openai/echo' }), '"error"')
      await row.getByRole('button', { name: 'Resume openai' }).click()
      await row.getByText('healthy', { exact: true }).waitFor()
      t.same(faults, [])
      await page.context().close()
    }
    const { page } = await openConsole(t, url, DESK, { key: READ_KEY, at: '#/providers' })
    await page.getByRole('link', { name: 'openai', exact: true }).waitFor()
    t.equal(await page.getByRole('button', { name: /Pause|Resume/ }).count(), 0)
  })
})
