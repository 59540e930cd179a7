// The draft: laying values over the file's and remembering where they came from.
import { test } from 'tap'
import { Draft } from '../../../src/config/sources/draft.js'

test('a value is set through maps that are there or not, and its origin remembered', (t) => {
  const draft = new Draft({ server: { host: 'h' }, log: null })
  draft.set(['server', 'port'], '1', 'PORT')
  draft.set(['log', 'level'], 'debug', 'LOG_LEVEL')
  draft.set(['a', 'b', 'c'], 1, 'X')
  t.same(draft.tree, { server: { host: 'h', port: '1' }, log: { level: 'debug' }, a: { b: { c: 1 } } })
  t.equal(draft.originOf(['server', 'port']), 'PORT')
  t.equal(draft.originOf(['server', 'host']), null)
  t.equal(draft.originOf([]), null)
  t.end()
})

test('list items are added, reached by index, and come whole from one origin', (t) => {
  const draft = new Draft({ keys: [{ name: 'a' }] })
  draft.push(['keys'], { name: 'b' }, 'API_KEY')
  draft.push(['new'], 1, 'X')
  draft.set(['keys', 0, 'limits', 'x'], 1, 'Y')
  t.same(draft.items(['keys']), [{ name: 'a', limits: { x: 1 } }, { name: 'b' }])
  t.equal(draft.originOf(['keys', 1, 'name']), 'API_KEY')
  t.equal(draft.get(['keys', 1, 'name']), 'b')
  t.same(draft.items(['new']), [1])
  t.end()
})

test('what is not a map or list is left for the check to refuse', (t) => {
  const draft = new Draft({ server: 5, keys: 'x' })
  draft.set(['server', 'port'], 1, 'PORT')
  draft.set(['server', 'a', 'b'], 1, 'PORT')
  draft.set([], 1, 'PORT')
  draft.push(['keys'], 1, 'API_KEY')
  t.same(draft.tree, { server: 5, keys: 'x' })
  t.same(draft.items(['keys']), [])
  t.same(draft.names(['keys']), [])
  t.equal(draft.get(['server', 'toString']), undefined)
  t.end()
})

test('the origin of each value is told by its path, down to lists; what is empty is a value', (t) => {
  const draft = new Draft({ server: { port: 1, tls: null }, keys: [{ name: 'a' }], models: {} })
  draft.set(['server', 'port'], 2, 'PORT')
  draft.push(['keys'], { name: 'b' }, 'API_KEY')
  t.same(
    draft.origins((path) => `file:${path.length}`),
    {
      ...{ 'server.port': 'PORT', 'server.tls': 'file:2', 'keys.0.name': 'file:3', 'keys.1.name': 'API_KEY' },
      models: 'file:1',
    },
  )
  t.end()
})
