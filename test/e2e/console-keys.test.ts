// The console's keys and configuration, in a real Chromium: a key is created, used, changed, rotated and disabled by clicking. Skipped
// where there is no Chromium.
import { join } from 'node:path'
import { test } from 'tap'
import { IN_CHROMIUM } from '../helpers/browser.js'
import { CLIENT_KEY, openConsole, READ_KEY, startConsole, stream } from '../helpers/console.js'
import { DESK, LOOKS } from '../helpers/visitor.js'

test('keys and configuration', IN_CHROMIUM, async (t) => {
  const accounts = { store: 'sqlite', path: join(t.testdir(), 'accounts.db') }
  const { gateway, url, admin } = await startConsole(t, { tokensPerSec: 400, config: { accounts } })

  await t.test(
    'a key is created with its secret shown once, used, changed, rotated, disabled and deleted',
    async (t) => {
      for (const [index, look] of LOOKS.entries()) {
        const name = `app${index}`
        const { page, faults, check, picture } = await openConsole(t, url, look, { at: '#/keys' })
        await page.getByRole('button', { name: 'New key' }).click()
        await page.getByLabel('Name').fill(name)
        await page.getByLabel('Models').fill('openai/*, anthropic/*')
        await page.getByLabel('Requests per minute').fill('60')
        t.same(await check(), [], JSON.stringify(look))
        await picture('key-new')
        await page.keyboard.press('Enter')
        const secret = (await page.getByRole('region', { name: 'Secret' }).textContent()) ?? ''
        t.match(secret, /^sk-sluice-/)
        t.same(await check(), [])
        await page.getByRole('button', { name: 'I have stored it' }).click()
        await page.locator('dialog').waitFor({ state: 'detached' })
        t.notMatch(await page.content(), secret, 'it is gone from the page')
        t.match(await stream(gateway, `used-${index}`, { model: 'openai/echo' }, secret), '[DONE]')

        await page.getByRole('link', { name, exact: true }).waitFor()
        t.same(await check(), [])
        await picture('keys')
        await page.getByRole('link', { name, exact: true }).click()
        await page.getByText('60 requests/min').waitFor()
        await page.getByLabel('Requests at once').fill('5')
        await page.getByRole('button', { name: 'Save' }).click()
        await page.getByText('60 requests/min, 5 at once').waitFor()
        t.same(await check(), [])
        await picture('key')
        await page.getByRole('button', { name: 'Rotate' }).click()
        await page.getByRole('button', { name: 'Rotate the key' }).click()
        const next = (await page.getByRole('region', { name: 'Secret' }).textContent()) ?? ''
        await page.getByRole('button', { name: 'I have stored it' }).click()
        t.not(next, secret)
        t.match(await stream(gateway, `rotated-${index}`, { model: 'openai/echo' }, next), '[DONE]')
        await page.getByRole('button', { name: 'Disable' }).click()
        await page.getByRole('button', { name: 'Disable the key' }).click()
        await page.getByText(`${name} is disabled.`).waitFor()
        t.match(await stream(gateway, `disabled-${index}`, { model: 'openai/echo' }, next), '"error"')
        await page.getByRole('button', { name: 'Delete' }).click()
        await page.getByRole('button', { name: 'Delete the key' }).click()
        await page.getByRole('heading', { name: 'Keys and teams' }).waitFor()
        t.equal(await page.getByRole('link', { name, exact: true }).count(), 0)
        t.same(faults, [])
        await page.context().close()
      }
    },
  )

  await t.test(
    'a change of a key that another has changed meanwhile is refused, and who may only look has no form',
    async (t) => {
      const ask = (method: string, path: string, body: object) =>
        fetch(`${admin}/admin/v1${path}`, {
          method,
          headers: { authorization: 'Bearer admin-write-key-0123456789', 'content-type': 'application/json' },
          body: JSON.stringify(body),
        })
      await ask('POST', '/keys', { name: 'shared', models: ['a'] })
      const { page } = await openConsole(t, url, DESK, { at: '#/keys/shared' })
      await page.getByRole('button', { name: 'Save' }).waitFor()
      await ask('PATCH', '/keys/shared', { models: ['b'] })
      await page.getByLabel('Models').fill('c')
      await page.getByRole('button', { name: 'Save' }).click()
      await page.locator('.state[data-state=failed]').waitFor()
      await page.locator('.facts dd', { hasText: /^b$/ }).waitFor()

      await page.getByRole('link', { name: 'All keys' }).click()
      await page.getByRole('button', { name: 'New team' }).click()
      await page.getByLabel('Name').fill('blue')
      await page.keyboard.press('Enter')
      await page.getByRole('button', { name: 'Disable the team blue' }).click()
      await page.getByRole('button', { name: 'Enable the team blue' }).waitFor()

      const reader = await openConsole(t, url, DESK, { key: READ_KEY, at: '#/keys/shared' })
      await reader.page.getByText('Last used').waitFor()
      t.equal(await reader.page.getByRole('button', { name: /Save|Rotate|Disable|Delete/ }).count(), 0)
      await reader.page.getByRole('link', { name: 'All keys' }).click()
      await reader.page.getByRole('link', { name: 'shared' }).waitFor()
      t.equal(await reader.page.getByRole('button', { name: /New|Disable|Enable/ }).count(), 0)
    },
  )

  await t.test('the configuration is shown with where each value was set, and without a secret', async (t) => {
    for (const look of LOOKS) {
      const { page, faults, check, picture } = await openConsole(t, url, look, { at: '#/config' })
      const port = page.getByRole('row').filter({ hasText: 'admin.port' })
      await port.getByText(/sluice\.json:1/).waitFor()
      await page.getByRole('row').filter({ hasText: 'session.open' }).first().waitFor()
      t.same(await check(), [], JSON.stringify(look))
      await picture('config')
      await page.getByLabel('Find').fill('maxBodyBytes')
      await page.getByText(/^0 of \d+ options\.$/).waitFor()
      await page.getByLabel('Defaults as well').check()
      await page.getByRole('row').filter({ hasText: 'server.maxBodyBytes' }).getByText('default').waitFor()
      t.match(page.url(), /#\/config\?find=maxBodyBytes&all=1$/)
      await page.getByLabel('Find').fill('')
      await page.getByRole('row').filter({ hasText: 'providers.openai.apiKey' }).getByText('********').waitFor()
      const text = await page.content()
      for (const secret of [CLIENT_KEY, READ_KEY, 'sk-upstream-openai']) t.notMatch(text, secret)
      t.same(faults, [])
      await page.context().close()
    }
  })
})
