// The console's files on the admin listener: to everybody, but nothing beside them.
import { test } from 'tap'
import { adminContext, FakeLoop, startAdmin } from '../../helpers/admin.js'

test('the root leads to the page, which needs no key and may load nothing from elsewhere', async (t) => {
  const { url } = await startAdmin(t, adminContext([new FakeLoop()]).context)
  const root = await fetch(`${url}/`, { redirect: 'manual' })
  t.same([root.status, root.headers.get('location')], [302, '/console'])
  const page = await fetch(`${url}/console`)
  t.equal(await page.text(), 'console.html')
  t.equal(page.headers.get('content-type'), 'text/html; charset=utf-8')
  t.match(page.headers.get('content-security-policy'), /^default-src 'self'; .*frame-ancestors 'none'/)
  const script = await fetch(`${url}/console/console.js`)
  t.same([script.status, script.headers.get('content-type')], [200, 'text/javascript; charset=utf-8'])
  for (const name of ['try.js', 'package.json', '..%2fconsole.js', 'x/console.js']) {
    t.equal((await fetch(`${url}/console/${name}`)).status, 404, name)
  }
  t.equal((await fetch(`${url}/console`, { method: 'POST' })).status, 405)
})
