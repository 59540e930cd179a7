// The console's way in and its first screen, in a real Chromium: logging in, the open requests, watching and cancelling one. Skipped
// where there is no Chromium.
import { test } from 'tap'
import { IN_CHROMIUM } from '../helpers/browser.js'
import { CLIENT_KEY, logIn, openConsole, READ_KEY, startConsole, stream, WRITE_KEY } from '../helpers/console.js'
import { DESK, LOOKS, visit } from '../helpers/visitor.js'

test('the way in, and the open requests', IN_CHROMIUM, async (t) => {
  const { gateway, url } = await startConsole(t)

  await t.test(
    'the way in: a wrong key is refused, a right one is kept from scripts, logging out forgets it',
    async (t) => {
      for (const look of LOOKS) {
        const { page, faults, check, picture } = await visit(t, url, look)
        await page.getByLabel('Admin key').fill('wrong-key-0123456789')
        await page.keyboard.press('Enter')
        await page.getByText('Missing or unknown admin key.').waitFor()
        t.same(await check(), [], JSON.stringify(look))
        await picture('login')
        await page.getByLabel('Admin key').fill('')
        await logIn(page, WRITE_KEY)
        await page.getByText('No open requests.').waitFor()
        await page.reload()
        await page.getByText('No open requests.').waitFor()
        const [cookie] = await page.context().cookies()
        t.match(cookie, { httpOnly: true, sameSite: 'Strict', path: '/admin/v1' })
        t.equal(await page.evaluate('document.cookie'), '')
        const stored = String(await page.evaluate('JSON.stringify({ ...localStorage, ...sessionStorage })'))
        t.notMatch(stored, WRITE_KEY)
        t.notMatch(stored, cookie?.value ?? '-')
        await page.getByRole('button', { name: 'Log out' }).click()
        await page.getByLabel('Admin key').waitFor()
        await page.reload()
        await page.getByLabel('Admin key').waitFor()
        t.same(
          faults.filter((fault) => !/status of 401/.test(fault)),
          [],
        )
        await page.context().close()
      }
    },
  )

  await t.test('an open request is found, watched beside its client, and cancelled after a question', async (t) => {
    for (const [index, look] of LOOKS.entries()) {
      const id = `req-live-${index}`
      const client = stream(gateway, id)
      const { page, faults, check, picture, until } = await openConsole(t, url, look)
      const row = page.getByRole('row').filter({ hasText: id })
      await row.waitFor()
      for (const text of ['app', 'openai/lorem-max', 'streaming', 'sse']) t.match(await row.textContent(), text)
      const tokens = row.locator('[data-label=Tokens]')
      const before = await tokens.textContent()
      await until(`document.querySelector('[data-label=Tokens]').textContent !== ${JSON.stringify(before)}`)
      t.same(await check(), [], JSON.stringify(look))
      await picture('live')

      await row.getByRole('button', { name: 'Watch' }).click()
      await page.getByRole('region', { name: 'Frames' }).getByText('"delta":').waitFor()
      t.same(await check(), [])
      await picture('watch')
      await page.keyboard.press('Escape')

      await row.getByRole('button', { name: 'Cancel' }).click()
      await page.getByRole('button', { name: 'Keep it as it is' }).click()
      await row.getByRole('button', { name: 'Cancel' }).click()
      t.same(await check(), [])
      await picture('cancel')
      await page.getByRole('button', { name: 'Cancel the request' }).click()
      await page.getByText(`${id} is cancelled.`).waitFor()
      t.match(await client, '"error"')
      t.match(await gateway.exchange(id), { outcome: 'client_gone', cancelledBy: 'admin' })
      await page.getByText('No open requests.').waitFor()
      t.same(faults, [])
      await page.context().close()
    }
  })

  await t.test('who may only look has nothing to change anything with', async (t) => {
    void stream(gateway, 'req-read')
    const { page } = await openConsole(t, url, DESK, { key: READ_KEY })
    const row = page.getByRole('row').filter({ hasText: 'req-read' })
    await row.getByRole('button', { name: 'Watch' }).waitFor()
    t.equal(await page.getByRole('button', { name: 'Cancel' }).count(), 0)
    t.match(await page.locator('.who').textContent(), 'board (read)')
    await page.getByLabel('Find').fill('nothing like it')
    await page.getByText('No open requests.').waitFor()
    t.match(page.url(), /#\/live\?find=nothing\+like\+it$/)
    await gateway.stop('SIGKILL')
    await page.getByRole('alert').getByText('The gateway does not answer.').waitFor()
    await page.getByText('What fails is not known: The gateway does not answer.').waitFor()
  })
})

const SPENT_KEY = 'spent-key-0123456789abcdef'
const KEYS = [
  { name: 'app', key: CLIENT_KEY },
  { name: 'spent', key: SPENT_KEY, limits: { requestsPerMinute: 1 } },
]

test('whoever is woken sees what is broken, whose requests failed and what to press', IN_CHROMIUM, async (t) => {
  const { gateway, url } = await startConsole(t, {
    config: { models: { fast: 'dead/<b>m</b>' }, routing: { retries: { max: 0 } }, keys: KEYS },
    providers: { dead: { protocol: 'openai-chat', baseUrl: 'http://127.0.0.1:9/v1', apiKey: 'k' } },
  })
  const quiet = await openConsole(t, url, DESK)
  await quiet.page.getByText('Nothing failed in the last 5 min.').waitFor()
  await quiet.page.context().close()
  for (let index = 0; index < 3; index++) await stream(gateway, `req-dead-${index}`, { model: 'fast' })
  for (const id of ['req-first', 'req-refused']) await stream(gateway, id, { model: 'openai/echo' }, SPENT_KEY)
  await Promise.all([gateway.exchange('req-dead-2'), gateway.exchange('req-refused')])
  for (const look of LOOKS) {
    const { page, faults, check, picture } = await openConsole(t, url, look)
    const trouble = page.getByRole('region', { name: 'Trouble' })
    await trouble.getByText(/^Provider dead: (failing|breaker \w+), 3 of 3 attempts failed \(100\.0 %\)\./).waitFor()
    const failures = trouble.locator('p', { hasText: '3 requests' })
    t.match(
      await failures.textContent(),
      '3 requests failed in the last 5 min: upstream_unreachable (3). Keys: app (3). Models: fast (3).',
    )
    const refused = trouble.locator('p', { hasText: 'refused by a limit' })
    t.match(
      await refused.textContent(),
      /^1 request refused by a limit in the last 5 min: rate_limited \(1\)\. Keys: spent/,
    )
    t.same(await check(), [], JSON.stringify(look))
    await picture('trouble')
    await failures.getByRole('link', { name: 'app (3)' }).click()
    await page.getByText('The last 3.').waitFor()
    t.match(page.url(), /#\/requests\?key=app&outcome=failures$/)
    t.equal(await page.getByLabel('Outcome').inputValue(), 'failures')
    await page.goBack()
    await trouble.getByRole('link', { name: 'pause it' }).press('Enter')
    const row = page.getByRole('row').filter({ hasText: 'dead' })
    await row.getByText(/failing|breaker/).waitFor()
    t.same(await check(), [])
    await picture('providers-trouble')
    t.same(faults, [])
    await page.context().close()
  }
})
