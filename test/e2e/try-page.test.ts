// The try-it page as a newcomer uses it, in a real Chromium, at both widths and in both schemes. Skipped where there is no Chromium.
import { test } from 'tap'
import { IN_CHROMIUM } from '../helpers/browser.js'
import { startGateway } from '../helpers/gateway.js'
import { listFiles, readText } from '../helpers/source-tree.js'
import { DESK, LOOKS, visit } from '../helpers/visitor.js'

type Select = { readonly options: Iterable<{ value: string }> }

const HOSTILE = '<img src=x onerror=document.title="broken"> \u001b[31mred <b>bold</b>'

test('the try-it page', IN_CHROMIUM, async (t) => {
  const gateway = await startGateway(t, { args: ['--port', '0'] })

  await t.test('a prompt streams, with its figures, and its request is copied as code', async (t) => {
    const address = /In a browser: (\S+)\. Set ADMIN_KEY/.exec(gateway.errorOutput)?.[1] ?? ''
    t.equal(address, `${gateway.origin}/try`, 'it is printed beside the curl')
    for (const look of LOOKS) {
      const { page, faults, check, picture } = await visit(t, address, look)
      t.equal(await page.getByLabel('Model').inputValue(), 'sim/lorem', 'the one that is seen to stream')
      t.equal(await page.evaluate('document.activeElement.textContent'), 'Send', 'Enter is all it takes')
      await page.getByLabel('Model').selectOption('sim/echo')
      await page.getByLabel('Prompt').fill('Tell me about rivers.')
      await page.getByRole('button', { name: 'Send' }).click()
      await page.getByText('Complete (stop).').waitFor()
      t.equal(await page.locator('.answer').textContent(), 'Tell me about rivers.')
      t.match(await page.locator('.figures').textContent(), /First token\d+ msRate[\d.]+ tok\/sTokens\d+$/)
      t.same(await check(), [], JSON.stringify(look))
      await picture('try')
      await page.getByLabel('API').selectOption('Messages')
      await page.getByLabel('Prompt').fill('Of lakes as well.')
      await page.keyboard.press('Control+Enter')
      await page.locator('.answer', { hasText: 'Of lakes as well.' }).waitFor()
      await page.getByText('Complete (end_turn).').waitFor()
      await page.getByLabel('API').selectOption('Chat completions')

      await page.getByRole('button', { name: 'curl' }).click()
      await page.getByText('Copied as curl.').waitFor()
      t.match(await page.evaluate('navigator.clipboard.readText()'), `curl -N '${gateway.origin}/v1/chat/completions'`)
      t.same(faults, [])
    }
  })

  await t.test('what a model says is text, whatever it says: markup, escape codes', async (t) => {
    const { page, faults, picture } = await visit(t, `${gateway.origin}/try`, DESK)
    await page.getByLabel('Model').selectOption('sim/echo')
    await page.getByLabel('Prompt').fill(HOSTILE)
    await page.keyboard.press('Control+Enter')
    await page.getByText('Complete (stop).').waitFor()
    t.equal(await page.locator('.answer').textContent(), HOSTILE.replace('\u001b', '\\x1b'))
    t.equal(await page.locator('.answer *').count(), 0, 'no element')
    t.equal(await page.title(), 'Try Sluice')
    t.same(faults, [])
    await picture('try-hostile')
  })

  await t.test('the stop button ends the stream at the gateway, and a refusal is shown in its words', async (t) => {
    const { page } = await visit(t, `${gateway.origin}/try`, DESK)
    await page.getByLabel('Model').evaluate((select: Select) => {
      for (const option of select.options) option.value = 'sim/lorem-max'
    })
    await page.getByRole('button', { name: 'Send' }).click()
    await page.locator('.answer', { hasText: /\w/ }).waitFor()
    await page.getByRole('button', { name: 'Stop' }).click()
    await page.getByText('Stopped.').waitFor()
    t.match(await gateway.logLine(({ outcome }) => outcome === 'client_gone'), { model: 'sim/lorem-max' })
    await page.getByLabel('Model').evaluate((select: Select) => {
      for (const option of select.options) option.value = 'none/such'
    })
    await page.getByRole('button', { name: 'Send' }).click()
    await page.getByText(/^40\d: .*none/).waitFor()
  })
})

test('with keys there is no such page, and without them nothing else is served below it', async (t) => {
  const open = await startGateway(t, { args: ['--port', '0'] })
  const page = await fetch(`${open.origin}/try`)
  t.equal(page.status, 200)
  t.match(page.headers.get('content-security-policy'), /^default-src 'self'; .*require-trusted-types-for 'script'/)
  t.match(await page.text(), '<title>Try Sluice</title>')
  for (const path of ['/try/package.json', '/try/..%2f..%2fpackage.json', '/try/', '/try/console.html']) {
    t.equal((await fetch(open.origin + path)).status, 404, path)
  }
  for (const header of ['x-forwarded-for', 'forwarded']) {
    const proxied = await fetch(`${open.origin}/try`, { headers: { [header]: 'for=192.0.2.1' } })
    t.equal(proxied.status, 404, header)
  }
  const config = { keys: [{ name: 'a', key: 'test-key-0123456789abcdef' }], providers: { sim: {} } }
  const keyed = await startGateway(t, { config })
  for (const path of ['/try', '/try/try.js']) {
    const answer = await fetch(keyed.origin + path)
    t.equal(answer.status, 404)
    t.match(await answer.text(), /No such page/)
  }
})

test('a browser at / is sent to the page where there is one, and a program never is', async (t) => {
  const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
  const config = { keys: [{ name: 'a', key: 'test-key-0123456789abcdef' }], providers: { sim: {} } }
  const [open, keyed] = await Promise.all([startGateway(t, { args: ['--port', '0'] }), startGateway(t, { config })])
  const get = async (origin: string, headers: Record<string, string>, method = 'GET') => {
    const { status, headers: answered } = await fetch(`${origin}/`, { method, headers, redirect: 'manual' })
    return [status, answered.get('location'), answered.get('content-type')]
  }
  t.same(await get(open.origin, { accept: BROWSER }), [302, '/try', 'text/plain; charset=utf-8'])
  t.same((await fetch(`${open.origin}/`, { headers: { accept: BROWSER } })).url, `${open.origin}/try`)
  const none = [404, null, 'application/json']
  t.same(await get(open.origin, { accept: '*/*' }), none)
  t.same(await get(open.origin, { accept: BROWSER, 'x-forwarded-for': '192.0.2.1' }), none, 'behind a proxy')
  t.same(await get(open.origin, { accept: BROWSER }, 'POST'), none)
  t.same(await get(keyed.origin, { accept: BROWSER }), none)
  const foreign = await fetch(`${open.origin}/`, { headers: { 'anthropic-version': '2023-06-01' } })
  t.match(await foreign.json(), { type: 'error' }, 'in the form of the API of the caller')
})

test('dark differs from light in colors alone, so that a page has to be used in only one of them', async (t) => {
  const [, dark = ''] =
    /@media \(prefers-color-scheme: dark\) \{\s*:root \{([^}]*)\}\s*\}/.exec(readText('src/console/look.css')) ?? []
  t.match(dark, /^(\s*--[\w-]+: #[0-9a-f]{6};)+\s*$/)
  t.equal(readText('src/console/look.css').match(/prefers-color-scheme/g)?.length, 1)
})

test('the pages build nothing from markup', async (t) => {
  const files = listFiles('src/console').filter((path) => path.endsWith('.ts'))
  t.ok(files.length > 5)
  const markup =
    /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|\beval\b|new Function/
  t.same(
    files.filter((path) => markup.test(readText(path))),
    [],
  )
  for (const path of listFiles('src/console').filter((path) => path.endsWith('.html'))) {
    t.notMatch(readText(path), /<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|https?:/, path)
  }
})
