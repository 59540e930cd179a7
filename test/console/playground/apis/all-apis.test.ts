// What all client APIs of the playground have in common.
import { test } from 'tap'
import { allApis } from '../../../../src/console/playground/apis/all-apis.js'

const QUESTION = { model: 'a', prompt: 'Hi', tools: [] }

test('each has an id, a path and tools only where there are some, and knows its own streams', async (t) => {
  const apis = allApis()
  t.equal(new Set(apis.map(({ id }) => id)).size, apis.length)
  const tools = [{ name: 'look_up' }]
  for (const api of apis) {
    t.notOk('tools' in api.body(QUESTION), api.name)
    t.match(api.body({ ...QUESTION, tools }), { tools }, api.name)
    const path = `/${api.path('sim/echo')}`
    const owners = apis.filter((each) => each.streams(path, api.body(QUESTION)))
    t.same(
      owners.map(({ name }) => name),
      [api.name],
    )
    t.notOk(path.startsWith('//'))
  }
})

test('the prefix is that of the configuration', async (t) => {
  t.equal(allApis({ ollamaPrefix: '/local' }).at(-1)?.path(''), 'local/api/chat')
})
