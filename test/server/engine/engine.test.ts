// Which build of the engine is taken.
import { existsSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { test } from 'tap'
import { loadCarried, loadEngine } from '../../../src/server/engine/engine.js'
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

test('takes the binary that a package carries for this system, where it carries one', async (t) => {
  const folder = t.testdir({})
  const files = pathToFileURL(`${folder}/`)
  t.throws(() => loadCarried(files), { code: 'MODULE_NOT_FOUND' })
  const name = `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`
  const home = fileURLToPath(new URL('./bin/', import.meta.resolve('uWebSockets.js')))
  if (!existsSync(join(home, name))) return t.comment('no such binary for this Node')
  // The same file: a process may load it but once.
  symlinkSync(join(home, name), join(folder, name))
  writeFileSync(join(folder, 'package.json'), '{"version":"1.2.3"}')
  const { uws, build } = loadCarried(files)
  t.equal(build, 'uWebSockets.js 1.2.3')
  t.type(uws.App, 'function')
})

test('answers do not name the engine', async (t) => {
  const { url } = await startFront(t)
  const { headers } = await fetch(`${url}/livez`)
  t.ok(headers.has('date'))
  t.notOk(headers.has('uwebsockets'))
})
