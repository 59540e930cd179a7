// What a key may use, by its globs and by default.
import { test } from 'tap'
import { allowedModels, mayUse, mayUseAll } from '../../src/routing/access.js'

test('a key has the globs of its configuration; without keys all models are open', async (t) => {
  const limits = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }
  const key = { name: 'k', keySha256: 'f'.repeat(64), models: ['a', 'b/*'], limits }
  t.same(allowedModels({ keys: [key] }, 0), ['a', 'b/*'])
  t.same(allowedModels({ keys: [] }, -1), ['*'])
})

test('only the glob of everything makes a key one of all models', async (t) => {
  t.ok(mayUseAll(['a', '*']))
  for (const globs of [[], ['a'], ['**'], ['*/*']]) t.notOk(mayUseAll(globs), globs.join())
  t.ok(mayUse(['b/*'], 'b/x'))
  t.notOk(mayUse(['b/*'], 'x'))
  t.notOk(mayUse([], 'x'))
})
