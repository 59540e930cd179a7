// The console's playground, in a real Chromium: two models side by side under a key, with what they cost. Skipped where there is no
// Chromium.
import { test } from 'tap'
import { IN_CHROMIUM } from '../helpers/browser.js'
import { openConsole, READ_KEY, startConsole } from '../helpers/console.js'
import { DESK, LOOKS } from '../helpers/visitor.js'

const HOSTILE = '<img src=x onerror=document.title="broken"> \u001b[31mred'
/** A name that is listed; others may be asked for as well. */
const MODELS = { fast: 'openai/lorem' }
const PRICED = {
  models: MODELS,
  prices: { enabled: true, models: { 'openai/echo': { input: 1000, output: 2000 } } },
}

test('the playground', IN_CHROMIUM, async (t) => {
  const { gateway, url } = await startConsole(t, { tokensPerSec: 50, config: PRICED })

  await t.test('two models answer side by side under a key, with figures and costs', async (t) => {
    for (const look of LOOKS) {
      const { page, faults, check, picture } = await openConsole(t, url, look, { at: '#/try' })
      await page.getByLabel('Under the key').waitFor()
      await page.getByLabel('Model', { exact: true }).fill('openai/echo')
      t.equal(await page.locator('#model-list option').first().getAttribute('value'), 'fast')
      await page.getByLabel('Beside it').fill('anthropic/echo')
      await page.getByLabel('Prompt').fill(HOSTILE)
      await page.keyboard.press('Control+Enter')
      await page.getByText('Complete (stop).').nth(1).waitFor()
      for (const index of [0, 1]) {
        t.equal(await page.locator('.answer').nth(index).textContent(), HOSTILE.replace('\u001b', '\\x1b'))
      }
      await page
        .locator('.figures')
        .first()
        .getByText(/^\$0\.\d+$/)
        .waitFor()
      t.match(await page.locator('.figures').nth(1).textContent(), /First token\d+ ms.*Cost/)
      t.match(await page.getByRole('region', { name: 'Code' }).textContent(), 'Bearer $SLUICE_KEY')
      t.match(await page.getByRole('link', { name: 'Its record' }).first().getAttribute('href'), /^#\/requests\/\w+/)
      t.equal(await page.getByRole('link', { name: 'Its record' }).count(), 2)
      t.same(await check(), [], JSON.stringify(look))
      await picture('playground')
      t.same(faults, [])
      await page.context().close()
    }
    t.match(await gateway.logLine(({ key }) => key === 'app'), { outcome: 'complete', path: /^\/admin\/v1\/try\// })
  })

  await t.test('each API streams, and what a model calls is text, whatever it is', async (t) => {
    const name = 'look_up'
    const parameters = { type: 'object', properties: { place: { type: 'string' } }, required: ['place'] }
    const forms = [
      ['Chat completions', { type: 'function', function: { name, parameters } }],
      ['Messages', { name, input_schema: parameters }],
      ['Responses', { type: 'function', name, parameters }],
      ['Gemini', { functionDeclarations: [{ name, parametersJsonSchema: parameters }] }],
      ['Ollama', { type: 'function', function: { name, parameters } }],
    ] as const
    for (const look of LOOKS) {
      const { page, faults, check, picture } = await openConsole(t, url, look, { at: '#/try?key=app' })
      await page.getByLabel('Model', { exact: true }).fill('openai/tools')
      await page.getByLabel('Beside it').fill('anthropic/tools')
      await page.getByText('Tools', { exact: true }).press('Enter')
      for (const [api, tool] of forms) {
        await page.getByLabel('API').selectOption(api)
        await page.getByLabel('Tools as JSON').fill(JSON.stringify([tool]))
        await page.getByRole('button', { name: 'Send' }).click()
        for (const index of [0, 1]) {
          await page
            .locator('.answer')
            .nth(index)
            .getByText(/^look_up \{.*"place":.*\}$/)
            .waitFor()
          await page
            .locator('.answer-view')
            .nth(index)
            .getByText(/^Complete \(\w+\)\.$/)
            .waitFor()
        }
        t.match(await page.locator('.figures').first().textContent(), /First token\d+ ms.*Tokens\d+Cost/, api)
      }
      t.match(await page.getByRole('region', { name: 'Code' }).textContent(), /ollama\/api\/chat'.*look_up/)
      t.same(await check(), [], JSON.stringify(look))
      await picture('playground-tools')
      await page.getByLabel('Tools as JSON').fill('{')
      await page.getByText('Tools', { exact: true }).press('Enter')
      await page.getByRole('button', { name: 'Send' }).click()
      await page.getByLabel('Tools as JSON').waitFor()
      t.match(
        await page
          .getByLabel('Tools as JSON')
          .evaluate((input: { validationMessage: string }) => input.validationMessage),
        /^Tools must be a JSON list/,
      )
      t.same(faults, [])
      await page.context().close()
    }
  })

  await t.test('stopping cuts the trial off, and who may only look sends none', async (t) => {
    const { page } = await openConsole(t, url, DESK, { at: '#/try?key=app' })
    await page.getByLabel('Model', { exact: true }).fill('openai/lorem-max')
    await page.getByRole('button', { name: 'Send' }).click()
    await page.locator('.answer', { hasText: /\w/ }).first().waitFor()
    await page.getByRole('button', { name: 'Stop' }).click()
    t.match(await gateway.logLine(({ outcome }) => outcome === 'client_gone'), { key: 'app' })
    const reader = await openConsole(t, url, DESK, { key: READ_KEY, at: '#/try' })
    await reader.page.getByText('needs the role write').waitFor()
    t.equal(await reader.page.getByRole('button', { name: 'Send' }).count(), 0)
  })
})
