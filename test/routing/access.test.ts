// What a key may use, by its globs and by default.
import { test } from 'tap'
import { allowedModels, mayUse, mayUseAll } from '../../src/routing/access.js'

test('a key has the globs of its configuration; without keys all models are open', async (t) => {
  const limits = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }
  const key = { name: 'k', keySha256: 'f'.repeat(64), models: ['a', 'b/*'], limits }
  t.same(allowedModels({ keys: [key] }, { index: 0 }), ['a', 'b/*'])
  t.same(allowedModels({ keys: [] }, { index: -1 }), ['*'])
})

test('a key of the database has the globs of its record, and a model must match one of its team as well', async (t) => {
  const config = { keys: [] }
  const allowed = (models: string[], team: string[] | null) =>
    allowedModels(config, { index: 2 ** 24, account: { models, team: team === null ? null : { models: team } } })
  t.same(allowed(['a'], null), ['a'])
  const both = allowed(['gpt-*', 'x'], ['*-mini', 'x'])
  t.same(
    ['gpt-5-mini', 'gpt-5', 'o-mini', 'x'].map((name) => mayUse(both, name)),
    [true, false, false, true],
  )
  t.same([allowed(['*'], ['*']), allowed(['*'], ['a']), allowed(['a'], ['*'])].map(mayUseAll), [true, false, false])
  t.equal(mayUse(allowed([], ['*']), 'a'), false)
})

test('only the glob of everything makes a key one of all models', async (t) => {
  t.ok(mayUseAll(['a', '*']))
  for (const globs of [[], ['a'], ['**'], ['*/*']]) t.notOk(mayUseAll(globs), globs.join())
  t.ok(mayUse(['b/*'], 'b/x'))
  t.notOk(mayUse(['b/*'], 'x'))
  t.notOk(mayUse([], 'x'))
})
