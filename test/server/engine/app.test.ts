// The app of the listener: which certificates are other ones. How one is taken over is test/e2e/tls-reload.test.ts.
import { test } from 'tap'
import { createApp, isRenewed } from '../../../src/server/engine/app.js'
import { loadEngine } from '../../../src/server/engine/engine.js'
import { thrownBy } from '../../helpers/thrown.js'

const TLS = { certFile: '/c', keyFile: '/k', passphrase: null, fingerprint: '1' }

test('another file, passphrase or content is another certificate; turning TLS on or off is not', (t) => {
  t.notOk(isRenewed(TLS, { ...TLS }))
  t.ok(isRenewed(TLS, { ...TLS, fingerprint: '2' }))
  t.ok(isRenewed(TLS, { ...TLS, certFile: '/d' }))
  t.ok(isRenewed(TLS, { ...TLS, keyFile: '/l' }))
  t.ok(isRenewed(TLS, { ...TLS, passphrase: 'p' }))
  t.notOk(isRenewed(TLS, null) || isRenewed(null, TLS) || isRenewed(null, null))
  t.end()
})

test('files that the engine cannot use are named', (t) => {
  const { code, message } = thrownBy(() => createApp(loadEngine(), TLS)) as { code: string; message: string }
  t.equal(code, 'misconfigured')
  t.equal(message, 'TLS cannot be set up with /c and /k.')
  t.end()
})
