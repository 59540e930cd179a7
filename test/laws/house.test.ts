// Law 0: a law of the house fails when it is broken. Each one of helpers/house-laws.ts and import-laws.ts is shown a made-up tree that keeps it and
// one that breaks it.
import { test } from 'tap'
import { findUncovered } from '../helpers/coverage-law.js'
import {
  findCrowdedFolders,
  findEmptyNames,
  findForeignNames,
  findImpurity,
  findLongFiles,
  findMirrorBreaks,
  findNodeUses,
  findSplinters,
  findSpreads,
  findUndocumented,
} from '../helpers/house-laws.js'
import {
  drawTables,
  findCrossedProtocols,
  findCycles,
  findDeadImports,
  findEagerLoads,
  findForbiddenImports,
  findHeavyLoads,
  findHolders,
  findMapErrors,
  findStrayLibraries,
  findUpwardImports,
  findWholeLoads,
  redraw,
} from '../helpers/import-laws.js'
import { parseSource, type SourceFile } from '../helpers/source-tree.js'

const OPENING = '// What this file is, in one line.\n'

/** A tree of files, each with its code below a fitting first line. */
function tree(files: Readonly<Record<string, string>>): SourceFile[] {
  return Object.entries(files).map(([path, code]) => parseSource(path, OPENING + code))
}

test('imports are read from every form of them, and from no comment or string', (t) => {
  const { imports, packages, code } = parseSource(
    'src/a/b.ts',
    `import { type X } from './x.js' // import 'no1'
import y from "y/deep"
export { z } from '@z/z/deep'
export * from '../w.js'
type T = import('u').T
const v = await import('v')
const q = require('q')
const text = "import 'no2' // no"
const pattern = /'import "no3"/
import fs from 'node:fs'`,
  )
  t.same(imports, ['src/a/x.ts', 'src/w.ts'])
  t.same([...packages].sort(), ['@z/z', 'q', 'u', 'v', 'y'])
  t.notOk(code.includes('no1'))
  t.ok(code.includes('no2'), 'what looks like a comment in a string stays')
  t.end()
})

test('an import that the table does not allow is found, and so are strangers and idle rows', (t) => {
  const table = { model: [], limit: ['model/a'], gateway: ['*'], main: [] }
  const good = {
    'src/model/a.ts': '',
    'src/limit/b.ts': "import { type A } from '../model/a.js'",
    'src/gateway.ts': "import './limit/b.js'",
    'src/main.ts': '',
  }
  t.same(findForbiddenImports(tree(good), table), [])
  t.same(findForbiddenImports(tree({ ...good, 'src/model/c.ts': "import '../limit/b.js'" }), table), [
    'src/model/c.ts -> src/limit/b.ts',
  ])
  t.same(
    findForbiddenImports(tree({ ...good, 'src/model/c.ts': '', 'src/limit/d.ts': "import '../model/c.js'" }), table),
    ['src/limit/d.ts -> src/model/c.ts'],
    'a rule for one file allows that file only',
  )
  t.same(
    findForbiddenImports(tree({ ...good, 'src/gateway.ts': "import './limit/b.js'\nimport './main.js'" }), table),
    ['src/gateway.ts -> src/main.ts'],
    'everything is everything but main and threads',
  )
  t.same(findForbiddenImports(tree({ ...good, 'src/new/e.ts': '' }), table), ['src/new/e.ts is in no area'])
  t.same(findForbiddenImports(tree({ ...good, 'src/limit/b.ts': '' }), table), ['limit -> model/a is not used'])
  t.same(findForbiddenImports(tree(good), { ...table, ghost: [] }), ['ghost has no file'])
  t.end()
})

test('an import from a lower room to a higher one is found, and so are rooms without a place', (t) => {
  const order = { pipeline: ['lifecycle', 'stages', 'sink'] }
  const good = {
    'src/pipeline/lifecycle.ts': "import './stages/a.js'",
    'src/pipeline/stages/a.ts': "import '../sink.js'\nimport './b.js'",
    'src/pipeline/stages/b.ts': '',
    'src/pipeline/sink.ts': '',
  }
  t.same(findUpwardImports(tree(good), order), [])
  t.same(findUpwardImports(tree({ ...good, 'src/pipeline/sink.ts': "import './stages/b.js'" }), order), [
    'src/pipeline/sink.ts -> src/pipeline/stages/b.ts',
  ])
  t.same(findUpwardImports(tree({ ...good, 'src/pipeline/relay/c.ts': '' }), order), ['pipeline/relay has no place'])
  t.same(findUpwardImports(tree(good), { pipeline: [...order.pipeline, 'gone'] }), ['pipeline/gone has no file'])
  t.end()
})

test('a cycle is found, through types too', (t) => {
  t.same(findCycles(tree({ 'src/a.ts': "import './b.js'", 'src/b.ts': '' })), [])
  t.same(
    findCycles(
      tree({ 'src/a.ts': "import './b.js'", 'src/b.ts': "import './c.js'", 'src/c.ts': "type B = import('./b.js').B" }),
    ),
    ['src/b.ts -> src/c.ts -> src/b.ts'],
  )
  t.end()
})

test('an import of a file that is not there is found', (t) => {
  t.same(findDeadImports(tree({ 'src/a.ts': "import './b.js'" })), ['src/a.ts -> src/b.ts'])
  t.end()
})

test('a protocol that imports another is found', (t) => {
  const good = {
    'src/protocols/index.ts': "import './x/index.js'",
    'src/protocols/x/index.ts': "import './wire.js'\nimport '../codec.js'",
    'src/protocols/x/wire.ts': '',
    'src/protocols/contract/codec.ts': '',
  }
  t.same(findCrossedProtocols(tree(good)), [])
  t.same(findCrossedProtocols(tree({ ...good, 'src/protocols/y/index.ts': "import '../x/wire.js'" })), [
    'src/protocols/y/index.ts -> src/protocols/x/wire.ts',
  ])
  t.same(findCrossedProtocols(tree({ ...good, 'src/protocols/shared/a.ts': "import '../x/wire.js'" })), [
    'src/protocols/shared/a.ts -> src/protocols/x/wire.ts',
  ])
  t.same(findCrossedProtocols(tree({ ...good, 'src/pipeline/a.ts': "import '../protocols/x/index.js'" })), [
    'src/pipeline/a.ts -> src/protocols/x/index.ts',
  ])
  t.end()
})

test('a library outside of its home is found, and so is a home without it', (t) => {
  const good = { 'src/wire/pack.ts': "import 'packer'" }
  t.same(findStrayLibraries(tree(good), { packer: ['src/wire/'] }), [])
  t.same(findStrayLibraries(tree({ ...good, 'src/a.ts': "type P = import('packer').P" }), { packer: ['src/wire/'] }), [
    'src/a.ts -> packer',
  ])
  t.same(findStrayLibraries(tree(good), {}), ['src/wire/pack.ts -> packer'])
  t.same(findStrayLibraries(tree(good), { packer: ['src/wire/', 'src/b/'] }), ['src/b/ does not import packer'])
  t.end()
})

test('what an entry loads in the end is found', (t) => {
  const files = tree({
    'workers/codec.ts': "import '../src/a.js'",
    'src/a.ts': "import './b.js'\nimport 'big'",
    'src/b.ts': '',
  })
  t.same(findHeavyLoads(files, 'workers/codec.ts', { files: /./, packages: ['big'] }), [])
  t.same(findHeavyLoads(files, 'workers/codec.ts', { files: /codec|src\/a/, packages: [] }), ['src/b.ts', 'big'])
  t.same(findHeavyLoads(files, 'workers/gone.ts', { files: /./, packages: [] }), ['workers/gone.ts is not there'])
  t.end()
})

test('clocks, chance, timers and the process are found in the core, and a core without files', (t) => {
  const core = /^src\/model/
  t.same(findImpurity(tree({ 'src/model/a.ts': "import { createHash } from 'node:crypto'\n" }), core), [])
  for (const names of ['createHash, randomBytes', 'randomUUID', 'createHash as hash']) {
    const code = `const a = 1\nimport { ${names} } from 'node:crypto'\n`
    t.equal(findImpurity(tree({ 'src/model/a.ts': code }), core).length, 1, names)
  }
  t.same(findImpurity(tree({ 'src/model/a.ts': '// Date.now() is told, not read\nconst process = 1' }), core), [])
  for (const code of [
    'const now = Date.now()',
    'const now = new Date()',
    'const x = Math.random()',
    'setTimeout(() => {}, 1)',
    'const e = process.env',
    "import fs from 'node:fs'",
    'queueMicrotask(run)',
    "fetch('x')",
  ]) {
    t.equal(findImpurity(tree({ 'src/model/a.ts': code }), core).length, 1, code)
  }
  t.same(findImpurity(tree({ 'src/other.ts': '' }), core), [`no file is ${core}`])
  t.end()
})

test('uses of Node are found in what runs in a browser, and such a place without files', (t) => {
  const shared = /^src\/client/
  const good = "import { a } from './b.js'\n// Buffer and process are told, not read\nsetTimeout(a, 1)"
  t.same(findNodeUses(tree({ 'src/client/a.ts': good, 'src/other.ts': 'process.exit()' }), shared), [])
  for (const code of [
    "import fs from 'node:fs'",
    'const e = process.env',
    "Buffer.from('x')",
    'setImmediate(() => {})',
    "require('x')",
  ]) {
    t.equal(findNodeUses(tree({ 'src/client/a.ts': code }), shared).length, 1, code)
  }
  t.same(findNodeUses(tree({ 'src/other.ts': '' }), shared), [`no file is ${shared}`])
  t.end()
})

test('a file that is too long for its place is found', (t) => {
  const sizes = { maxLines: 3, special: [[/^workers\//, 2]] as const }
  const files = { 'workers/a.ts': '\n', 'src/a.ts': '\n\n' }
  t.same(findLongFiles(tree(files), sizes), [])
  t.same(findLongFiles(tree({ ...files, 'src/b.ts': '\n\n\n' }), sizes), ['src/b.ts: 4 lines'])
  t.same(findLongFiles(tree({ ...files, 'workers/b.ts': '\n\n' }), sizes), ['workers/b.ts: 3 lines'])
  t.same(findLongFiles(tree({ 'src/a.ts': '' }), sizes), ['no file is /^workers\\//'])
  t.end()
})

test('a splinter of a file is found, and an exception without one', (t) => {
  const good = tree({
    'src/a.ts': "import './whole.js'\nimport './shared.js'\nimport './few.js'",
    'src/b.ts': "import './shared.js'",
    'src/shared.ts': '',
    'src/few.ts': '',
    'src/whole.ts': '\n'.repeat(9),
  })
  t.same(findSplinters(good, 5, { 'src/few.ts': 'a reason' }), [])
  t.same(findSplinters(good, 5, { 'src/shared.ts': 'two import it', 'src/gone.ts': 'it went' }), [
    'src/few.ts: 1 lines, one importer',
    'src/shared.ts needs no exception',
    'src/gone.ts needs no exception',
  ])
  t.end()
})

test('a crowded folder is found, and an exception without a crowd', (t) => {
  const files = tree({ 'src/a/1.ts': '', 'src/a/2.ts': '', 'src/a/b/3.ts': '' })
  t.same(findCrowdedFolders(files, 2, {}), [])
  t.same(findCrowdedFolders(files, 1, {}), ['src/a: 2 files'])
  t.same(findCrowdedFolders(files, 1, { 'src/a': 'one row each' }), [])
  t.same(findCrowdedFolders(files, 2, { 'src/a': 'one row each' }), ['src/a needs no exception'])
  t.end()
})

test('names that say nothing are found', (t) => {
  t.same(findEmptyNames(tree({ 'src/wire/sse.ts': 'export function splitFrames() {}\nfunction doIt() {}' })), [])
  t.same(findEmptyNames(tree({ 'src/wire/sse-utils.ts': '' })), ['src/wire/sse-utils.ts'])
  t.same(findEmptyNames(tree({ 'src/wire/sseFrames.ts': '' })), ['src/wire/sseFrames.ts is not in kebab-case'])
  for (const code of ['export class PoolManager {}', 'export const doIt = 1', 'export type KeyInfo = string']) {
    t.equal(findEmptyNames(tree({ 'src/a.ts': code })).length, 1, code)
  }
  t.end()
})

test('a file without its first line and a function without its docstring are found', (t) => {
  const documented = '/** Does it. */\n// biome-ignore lint: reason\nexport async function a() {}\nexport const b = 1'
  t.same(findUndocumented(tree({ 'src/a.ts': documented })), [])
  t.same(findUndocumented([parseSource('src/a.ts', '#!/usr/bin/env node\n// The process, from start to end.\n')]), [])
  t.same(findUndocumented([parseSource('src/a.ts', "import './b.js'\n// Too late to open a file.\n")]), [
    'src/a.ts does not say what it is',
  ])
  t.same(findUndocumented([parseSource('src/a.ts', '// b\n')]), ['src/a.ts does not say what it is'])
  t.same(findUndocumented(tree({ 'src/a.ts': 'export function a() {}' })), ['src/a.ts: a has no docstring'])
  t.same(findUndocumented(tree({ 'src/a.ts': '/** Of b. */\nconst b = 1\nexport function a() {}' })), [
    'src/a.ts: a has no docstring',
  ])
  t.end()
})

test('a vendor that is called by name is found, and a home that names none', (t) => {
  const good = {
    'src/protocols/acme/a.ts': "const id = 'acme'",
    'src/b.ts': '// acme may be told of\nconst acmeter = 1',
  }
  t.same(findForeignNames(tree(good), ['acme'], ['src/protocols/']), [])
  t.same(findForeignNames(tree({ ...good, 'src/c.ts': "const id = 'acme'" }), ['acme'], ['src/protocols/']), [
    'src/c.ts: acme',
  ])
  for (const name of ['acmeTarget', 'isAcme', 'ACME_KEY', 'Acme']) {
    const files = tree({ ...good, 'src/c.ts': `const ${name} = 1` })
    t.equal(findForeignNames(files, ['acme'], ['src/protocols/']).length, 1, name)
  }
  t.same(findForeignNames(tree(good), ['acme'], ['src/protocols/', 'src/b.ts']), ['src/b.ts names none'])
  t.same(findForeignNames(tree(good), [], ['src/protocols/']), ['no name is known'])
  t.end()
})

test('a file that holds a class which others hold alone is found, and so is a holder without it', (t) => {
  const rule = { name: 'River', home: 'src/river.ts', holders: ['src/source.ts'] }
  const good = {
    'src/river.ts': 'export class River {}\nexport type RiverView = Readonly<River>',
    'src/source.ts': "import { River, type Water } from './river.js'",
    'src/bank.ts': "import { type RiverView } from './river.js'\nconst River = 1",
  }
  t.same(findHolders(tree(good), rule), [])
  t.same(
    findHolders(tree({ ...good, 'src/dam.ts': "import { type RiverView, type River } from './river.js'" }), rule),
    ['src/dam.ts holds River'],
  )
  t.same(findHolders(tree({ ...good, 'src/source.ts': '' }), rule), ['src/source.ts does not hold River'])
  t.same(findHolders(tree({ 'src/bank.ts': '' }), { ...rule, holders: [] }), ['src/river.ts is not there'])
  t.end()
})

test('a room that is loaded before it is needed is found, and one that is gone', (t) => {
  const good = {
    'src/lake/redis/pump.ts': "import { Pipe } from './pipe.js'",
    'src/mill.ts':
      "import { type Pump, type Pipe } from './lake/redis/pump.js'\nconst pump = await import('./lake/redis/pump.js')",
  }
  t.same(findEagerLoads(tree(good), 'src/lake/redis/'), [])
  const bad = tree({ ...good, 'src/dam.ts': "import { type Pipe, Pump } from './lake/redis/pump.js'" })
  t.same(findEagerLoads(bad, 'src/lake/redis/'), ['src/dam.ts loads src/lake/redis/'])
  t.same(findEagerLoads(tree({}), 'src/lake/redis/'), ['src/lake/redis/ is not there'])
  t.end()
})

test('files that load all of a package where a part of it would do are found', (t) => {
  const good = {
    'src/mill.ts': "import { type Pump } from 'lake'\nimport Wheel from 'lake/lib/wheel.js'",
    'src/dam.ts': "import { Gate, type Pump } from 'lake'",
  }
  t.same(findWholeLoads(tree(good), 'lake', ['src/dam.ts']), [])
  t.same(findWholeLoads(tree(good), 'lake', []), ['src/dam.ts loads all of lake'])
  t.same(findWholeLoads(tree({ 'src/a.ts': "import * as lake from 'lake'" }), 'lake', []), [
    'src/a.ts loads all of lake',
  ])
  t.same(findWholeLoads(tree({}), 'lake', ['src/dam.ts']), ['src/dam.ts does not load all of lake'])
  t.end()
})

test('a source without a test, a test without a source and an idle exception are found', (t) => {
  const files = tree({ 'src/a/logic.ts': 'export function a() {}', 'src/a/types.ts': 'export type T = 1' })
  const mirror = { tests: ['test/a/logic.test.ts', 'test/e2e/start.test.ts'], testedElsewhere: [], suites: {} }
  t.same(findMirrorBreaks(files, mirror), [])
  t.same(findMirrorBreaks(files, { ...mirror, tests: [] }), ['src/a/logic.ts has no test'])
  t.same(
    findMirrorBreaks(files, {
      ...mirror,
      tests: ['test/b.test.ts'],
      testedElsewhere: [['src/a/logic.ts', 'test/b.test.ts']],
    }),
    [],
  )
  t.same(
    findMirrorBreaks(files, { ...mirror, tests: [], testedElsewhere: [['src/a/logic.ts', 'test/b.test.ts']] }),
    ['src/a/logic.ts has no test'],
    'the other test must be there',
  )
  t.same(findMirrorBreaks(files, { ...mirror, testedElsewhere: [['src/a/logic.ts', 'test/e2e/start.test.ts']] }), [
    'src/a/logic.ts needs no exception',
  ])
  const orphan = { ...mirror, tests: [...mirror.tests, 'test/a/gone.test.ts'] }
  t.same(findMirrorBreaks(files, orphan), ['test/a/gone.test.ts mirrors no file'])
  t.same(findMirrorBreaks(files, { ...orphan, suites: { 'test/a/gone.test.ts': 'all of a' } }), [])
  t.same(findMirrorBreaks(files, { ...mirror, suites: { 'test/a/gone.test.ts': 'all of a' } }), [
    'test/a/gone.test.ts needs no exception',
  ])
  t.end()
})

test('an object that is spread into another where every request passes is found, and an idle exception', (t) => {
  const files = tree({
    'src/a.ts': `class A {
  #b(c: object) { return { ...c, d: 1 } }
  f = (c: object) => ({ ...c })
  e() { return { ...{ f: 1 }, g: [...'h'] } }
}`,
    'src/i.ts': 'function j(k: object) { return () => ({ ...k }) }\nconst l = { ...m }',
  })
  t.same(findSpreads(files, { 'src/a.ts': ['#b', 'f'], 'src/i.ts': ['j', ''] }), [])
  t.same(
    findSpreads(files, { 'src/a.ts': ['f'] }),
    ['src/a.ts spreads in #b'],
    'neither a list nor what is written there',
  )
  t.same(findSpreads(files, { 'src/i.ts': [''] }), ['src/i.ts spreads in j'])
  t.same(findSpreads(files, { 'src/a.ts': ['#b', 'e', 'f'] }), ['src/a.ts e needs no exception'])
  t.same(findSpreads(files, { 'src/gone.ts': [] }), ['no file is src/gone.ts'])
  t.end()
})

test('a map that shows other tables is found, and a map without any', (t) => {
  const drawn = drawTables(
    { model: [], limit: ['model'] },
    { limit: ['local', 'shared'] },
    { undici: ['src/upstream/'] },
  )
  t.same(drawn, ['model -> (nothing)', 'limit -> model', '', 'limit : local > shared', '', 'undici in src/upstream/'])
  const map = redraw('# Map\n\n## Tables\n\nWords.\n\n```\nold\n```\n\n## Next\n', '## Tables', drawn)
  t.match(map, /Words\.\n\n```\nmodel -> [\s\S]*\n```\n\n## Next\n$/)
  t.same(findMapErrors(map, '## Tables', drawn), [])
  t.same(findMapErrors(map.replace('limit -> model', 'limit -> errors'), '## Tables', drawn), [
    'missing: limit -> model',
    'wrong: limit -> errors',
  ])
  t.same(findMapErrors(map, '## Elsewhere', drawn), ['the map has no drawing under ## Elsewhere'])
  t.same(findMapErrors('# Map\n\n## Tables\n\nWords.\n', '## Tables', drawn), [
    'the map has no drawing under ## Tables',
  ])
  t.end()
})

test('a file that the tests do not reach is found, an exception without need, and counts of next to nothing', (t) => {
  const law = {
    figures: [
      [/^src\/core\//, 100],
      [/./, 95],
    ] as const,
    exceptions: { 'src/odd.ts': 'a reason' },
    leastFiles: 2,
  }
  const counts = new Map([
    ['src/core/a.ts', { total: 10, covered: 10 }],
    ['src/b.ts', { total: 100, covered: 95 }],
    ['src/odd.ts', { total: 10, covered: 1 }],
    ['src/types.ts', { total: 0, covered: 0 }],
  ])
  t.same(findUncovered(counts, law), [])
  counts.set('src/core/a.ts', { total: 1000, covered: 999 })
  counts.set('src/b.ts', { total: 100, covered: 94 })
  counts.set('src/odd.ts', { total: 10, covered: 10 })
  t.same(findUncovered(counts, law), [
    'src/core/a.ts: 99.9 % of 1000 lines',
    'src/b.ts: 94.0 % of 100 lines',
    'src/odd.ts needs no exception',
  ])
  t.same(findUncovered(new Map([['src/b.ts', { total: 1, covered: 1 }]]), law), ['only 1 files were reached'])
  t.end()
})
