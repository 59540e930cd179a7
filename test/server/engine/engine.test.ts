// Which build of the engine is taken.
import { test } from 'tap'
import { loadEngine } from '../../../src/server/engine/engine.js'
import { startFront } from '../../helpers/front.js'

test('takes the first build that loads, and sets the size of a request head before', async (t) => {
  const real = loadEngine()
  t.equal(process.env.UWS_HTTP_MAX_HEADERS_SIZE, '16384')
  const engine = loadEngine([
    () => {
      throw new Error('built for another system')
    },
    () => ({ uws: real.uws, build: 'second' }),
    () => ({ uws: real.uws, build: 'third' }),
  ])
  t.equal(engine.build, 'second')
})

test('says what this system lacks, and keeps the cause, when no build loads', async (t) => {
  const cause = new Error('no')
  const broken = () => {
    throw cause
  }
  t.throws(() => loadEngine([broken]), {
    data: { code: 'misconfigured' },
    message: new RegExp(`does not run with Node ${process.versions.node} on ${process.platform} ${process.arch}`),
    cause,
  })
})

test('answers do not name the engine', async (t) => {
  const { url } = await startFront(t)
  const { headers } = await fetch(`${url}/livez`)
  t.ok(headers.has('date'))
  t.notOk(headers.has('uwebsockets'))
})
