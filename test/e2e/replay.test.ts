// Bodies of the last requests: kept only where that is configured, shown and sent again by those who may, and never with a secret. In the
// console by clicking, in a real Chromium; that is skipped where there is none.
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { IN_CHROMIUM } from '../helpers/browser.js'
import { CLIENT_KEY, openConsole, READ_KEY, startConsole, stream, WRITE_KEY } from '../helpers/console.js'
import { reload } from '../helpers/reload.js'
import { DESK, LOOKS } from '../helpers/visitor.js'

const ADMIN = { port: 0, keys: [{ name: 'board', key: READ_KEY, role: 'read' }], maxKeptBytes: 100_000 }
const HOSTILE = '<img src=x onerror=document.title="broken">'

/** A gateway that keeps bodies, and its admin API. */
async function start(t: Test, config: object = {}) {
  const started = await startConsole(t, { tokensPerSec: 400, config: { admin: ADMIN, ...config } })
  const ask = async (method: string, path: string, body: object | null = null, key = WRITE_KEY) => {
    const answer = await fetch(`${started.admin}/admin/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body === null ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    const isJson = answer.headers.get('content-type')?.startsWith('application/json') === true
    const json = isJson && text !== '' ? JSON.parse(text) : {}
    return { status: answer.status, text, json, id: answer.headers.get('x-request-id') ?? '' }
  }
  return { ...started, ask }
}

const say = (content: string) => ({ model: 'openai/echo', messages: [{ role: 'user', content }] })

test('a request is sent again as it was, under its key, by whoever may, and each time is in the audit', async (t) => {
  const { gateway, ask } = await start(t, { server: { threads: 2 } })
  // One of them comes to the other event loop.
  const ids = Array.from({ length: 8 }, (_, index) => `kept-${index}`)
  for (const id of ids) await stream(gateway, id, say(`as it was: ${id}`))
  await Promise.all(ids.map((id) => gateway.exchange(id)))
  const listed = await ask('GET', '/requests?limit=100')
  t.same(
    listed.json.data.map(({ hasBody }: { hasBody: boolean }) => hasBody),
    ids.map(() => true),
  )
  for (const id of ids) {
    const shown = await ask('GET', `/requests/${id}/body`)
    t.match(shown.json, { id, path: '/v1/chat/completions', key: 'app' })
    t.match(JSON.parse(shown.json.body), { ...say(`as it was: ${id}`), stream: true })
    const again = await ask('POST', `/requests/${id}/replay`)
    t.equal(again.status, 200)
    t.match(again.text, /data: \[DONE\]\n\n$/)
    t.match(again.text, id.slice(-2), 'its own words')
    t.match(await gateway.exchange(again.id), { key: 'app', outcome: 'complete', model: 'openai/echo' })
  }
  t.match((await ask('GET', `/requests?id=${ids[0]}`)).json.data, [{ hasBody: true }], 'and once more')
  t.match(await ask('GET', '/requests/kept-0/body', null, READ_KEY), { status: 403 })
  t.match(await ask('POST', '/requests/kept-0/replay', null, READ_KEY), { status: 403 })
  t.match(await ask('POST', '/requests/none/replay'), { status: 404, text: /admin\.maxKeptBytes/ })
  const { data } = (await ask('GET', '/audit?limit=2')).json
  t.match(data, [
    { by: 'admin', action: 'request.replay', target: 'kept-7', after: { key: 'app' } },
    { by: 'admin', action: 'request.body', target: 'kept-7' },
  ])
})

test('a request whose path names the model, or has a prefix, is sent again as well', async (t) => {
  const { gateway, ask } = await start(t, { compat: { ollamaPrefix: '/local' } })
  const contents = [{ role: 'user', parts: [{ text: 'as it was' }] }]
  const messages = [{ role: 'user', content: 'as it was' }]
  const asked = [
    ['/v1beta/models/openai/echo:streamGenerateContent?alt=sse', { contents }, /^data: \{.*"finishReason":"STOP"/s],
    ['/v1beta/models/openai%2Fecho:streamGenerateContent', { contents }, /^\[\{.*\}\s*\]$/s],
    ['/v1beta/models/openai/echo:generateContent', { contents }, /^\{"candidates".*\}$/s],
    ['/local/api/chat', { model: 'openai/echo', messages }, /"done":true.*\}\n$/s],
  ] as const
  for (const [index, [path, body, form]] of asked.entries()) {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${CLIENT_KEY}` }
    const init = { method: 'POST', body: JSON.stringify(body) }
    const id = `of-path-${index}`
    const answer = await fetch(gateway.origin + path, { ...init, headers: { ...headers, 'x-request-id': id } })
    t.match(await answer.text(), form, path)
    t.match((await ask('GET', `/requests/${id}/body`)).json, { path })
    const again = await ask('POST', `/requests/${id}/replay`)
    t.match(again, { status: 200, text: form }, path)
    t.match(await gateway.exchange(again.id), { outcome: 'complete', model: 'openai/echo' })
  }
})

test('nothing is kept of a request with a secret in it, nor of any where it is off, nor sent under the key of another', async (t) => {
  const accounts = { store: 'sqlite', path: join(t.testdir(), 'accounts.db') }
  const { gateway, ask, config } = await start(t, { accounts })
  for (const secret of ['sk-upstream-openai', CLIENT_KEY, WRITE_KEY, 'sk-ant-REDACTED']) {
    await stream(gateway, `secret-${secret}`, say(`my key is ${secret}, keep it`))
    t.match(await ask('GET', `/requests/secret-${secret}/body`), { status: 404 }, secret)
  }
  const { secret } = (await ask('POST', '/keys', { name: 'mine', models: ['*'] })).json
  await stream(gateway, 'of-mine', say('Hi'), secret)
  t.match(await ask('POST', '/requests/of-mine/replay'), { status: 200 })
  await ask('DELETE', '/keys/mine')
  t.match(await ask('POST', '/requests/of-mine/replay'), { status: 404 })
  await ask('POST', '/keys', { name: 'mine', models: ['*'] })
  t.match(await ask('POST', '/requests/of-mine/replay'), { status: 404, text: /No such key/ }, 'it is another one')

  const line = await reload(gateway, { ...config, admin: { ...ADMIN, maxKeptBytes: 0 } })
  t.equal(line.msg, 'configuration reloaded')
  t.match(await ask('GET', '/requests/of-mine/body'), { status: 404 })
  await stream(gateway, 'off', say('Hi'))
  t.match((await ask('GET', '/requests?id=off')).json.data, [{ hasBody: false }])
})

test(
  'on the page of a request its body is shown, copied as curl, and sent again after a question',
  IN_CHROMIUM,
  async (t) => {
    const { gateway, url } = await start(t)
    await stream(gateway, 'req-kept', say(HOSTILE))
    await gateway.exchange('req-kept')
    for (const look of LOOKS) {
      const { page, faults, check, picture } = await openConsole(t, url, look, { at: '#/requests/req-kept' })
      await page.getByRole('button', { name: 'Show the body' }).press('Enter')
      t.match(JSON.parse((await page.getByRole('region', { name: 'Body' }).textContent()) ?? ''), say(HOSTILE))
      await page.getByRole('button', { name: 'Copy the request as curl' }).click()
      await page.getByText('Copied').waitFor()
      const copied = String(await page.evaluate('navigator.clipboard.readText()'))
      t.match(copied, /^curl -N 'http:.*\/v1\/chat\/completions' .*Bearer \$SLUICE_KEY" -d '\{.*<img/)
      t.same(await check(), [], JSON.stringify(look))
      await page.getByRole('button', { name: 'Replay' }).click()
      t.same(await check(), [])
      await page.getByRole('button', { name: 'Send it again' }).click()
      await page.getByText('Complete (stop).').waitFor()
      t.equal(await page.locator('.answer').textContent(), HOSTILE)
      t.equal(await page.locator('.answer *').count(), 0)
      t.match(await page.locator('.figures').textContent(), /Tokens3 counted$/, 'its client did not ask for usage')
      t.same(await check(), [])
      await picture('replay')
      await page.getByRole('link', { name: 'Its record' }).click()
      await page.getByRole('heading', { name: 'req-kept' }).waitFor({ state: 'detached' })
      await page.getByText('openai/echo at openai/echo').waitFor()
      t.same(faults, [])
      await page.context().close()
    }
    const { page } = await openConsole(t, url, DESK, { key: READ_KEY, at: '#/requests/req-kept' })
    await page.getByText('Where its time went').waitFor()
    t.equal(await page.getByRole('button', { name: /Replay|body/ }).count(), 0)
  },
)
