// The package's own files are where this says; in the bundle, too, or no gateway of the suite would start.
import { accessSync, existsSync } from 'node:fs'
import { test } from 'tap'
import { BROWSER_FILES, PACKAGE_ROOT, RESOURCES, workerEntry } from '../src/package-files.js'

test('resources, manifest and the entry points of threads are there', async (t) => {
  for (const url of [new URL('protocols.json', RESOURCES), new URL('package.json', PACKAGE_ROOT)]) accessSync(url)
  for (const name of ['frontend', 'codec', 'jobs'] as const) accessSync(workerEntry(name))
  accessSync(new URL('try.html', BROWSER_FILES))
  t.notOk(existsSync(new URL('nothing', RESOURCES)))
})
