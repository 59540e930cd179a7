// What a packed package carries, and the licences of what is in it.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { bundledPackages, carriedBinaries, importedPackages, licencesOf } from './package-parts.js'

test('it carries a binary for each system and Node of the table, and none of others', async (t) => {
  const names = carriedBinaries()
  t.equal(names.length, 10)
  for (const name of ['uws_linux_x64_115.node', 'uws_linux_arm64_127.node', 'uws_darwin_arm64_127.node'])
    t.ok(names.includes(name), name)
  t.notOk(names.some((name) => /_108|_120|linux_arm_|undefined/.test(name)))
})

test('packages are found in what a bundle is made of and imports, nested and scoped ones, each once', async (t) => {
  const inputs = {
    'dist/src/main.js': {},
    'node_modules/one/index.js': {},
    'node_modules/one/lib/more.js': {},
    '../main/node_modules/@scope/two/a.js': {},
    'node_modules/one/node_modules/three/a.js': {},
  }
  t.same(bundledPackages({ inputs }, '/clone'), [
    '/clone/node_modules/one',
    '/clone/node_modules/one/node_modules/three',
    '/main/node_modules/@scope/two',
  ])
  const imports = [
    ...[
      { path: 'fs', external: true },
      { path: 'node:later', external: true },
      { path: 'libsql', external: true },
    ],
    { path: 'bundle/src/chunk.js' },
  ]
  t.same(importedPackages({ outputs: { a: { imports }, b: { imports } } }), ['libsql'])
})

test('a licence is in a file or at the end of the read-me, and nothing without one is passed on', async (t) => {
  const folder = t.testdir({
    own: {
      'package.json': '{"name":"own","version":"1.0.0","license":"MIT"}',
      LICENSE: 'Own words.\n',
      NOTICE: 'And more.',
    },
    told: {
      'package.json': '{"name":"told","version":"2.0.0"}',
      'README.md': '# Told\n\nHow.\n\n## License\n\nTold words.\n',
    },
  })
  const text = licencesOf([join(folder, 'own'), join(folder, 'told')])
  t.match(text, /\nown 1\.0\.0 \(MIT\)\n=+\n\nOwn words\.\n\nAnd more\.\n/)
  t.match(text, /\ntold 2\.0\.0 \(licence below\)\n=+\n\nTold words\.\n/)
  const none = join(folder, 'none')
  mkdirSync(none)
  writeFileSync(join(none, 'package.json'), '{"name":"none","version":"3.0.0","license":"MIT"}')
  t.throws(() => licencesOf([none]), /none 3\.0\.0 has no text of its licence/)
})
