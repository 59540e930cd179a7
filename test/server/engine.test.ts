// Which build of the engine is taken.
import { test } from 'tap'
import { loadEngine } from '../../src/server/engine.js'

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

test('says which Node serves when no build loads', async (t) => {
  const broken = () => {
    throw new Error('no')
  }
  t.throws(() => loadEngine([broken]), { data: { code: 'misconfigured' }, message: /Node 20, 22 or 24/ })
})
