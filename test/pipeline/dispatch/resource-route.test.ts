// Where requests to a caller's own account go, and who is refused.
import { test } from 'tap'
import { type EndpointId } from '../../../src/model/endpoint.js'
import { routeResource } from '../../../src/pipeline/dispatch/resource-route.js'
import { resourceFacts } from '../../../src/protocols/endpoints/endpoint.js'
import { openaiChat } from '../../../src/protocols/openai-chat/index.js'
import { Router } from '../../../src/routing/router.js'
import { testProvider } from '../../helpers/targets.js'
import { thrownBy } from '../../helpers/thrown.js'

const provider = (name: string, resources?: readonly EndpointId[]) =>
  testProvider(`http://${name}`, { name, ...(resources === undefined ? {} : { resources }) })
const CONFIG = {
  providers: [provider('all', ['files', 'batches']), provider('vectors')],
  models: [],
  wellKnown: [
    { provider: provider('vendor', ['files']), isKeyless: false },
    { provider: provider('chats', []), isKeyless: false },
  ],
}
const DIALECTS = new Map(openaiChat.dialect === null ? [] : [['openai-chat', openaiChat.dialect]])
const ENDPOINT = resourceFacts({ id: 'files', wire: 'openai' }, { method: 'GET', rest: '', isFile: false })

function route(
  name: string | null,
  { config = CONFIG, allowed = ['*'] }: { config?: object; allowed?: string[] } = {},
) {
  const world = { config: config as typeof CONFIG, dialects: DIALECTS }
  const query = { model: '', provider: name, allowed }
  return routeResource({ endpoint: ENDPOINT, query, router: new Router(world.config), world })
}

test('the named provider is asked, configured or not, and no model is meant', (t) => {
  for (const name of ['all', 'vendor']) {
    const { targets, fallbacks } = route(name)
    t.match(targets, [{ provider: { name }, target: { model: '' } }])
    t.equal(targets.length, 1)
    t.same(fallbacks, [])
  }
  t.end()
})

test('a provider that is not named, not known or without files is refused with the names of those that have them', (t) => {
  const refusal = (name: string | null, config?: object) =>
    thrownBy(() => route(name, config === undefined ? {} : { config }))
  const param = 'x-sluice-provider'
  const message = `The header ${param} must name the provider of your key. With /v1/files: all, vendor.`
  t.match(refusal(null), { code: 'invalid_request', param, message })
  t.match(refusal(''), { message })
  t.match(refusal('chats'), { message: 'chats does not offer /v1/files. Providers with /v1/files: all, vendor.' })
  t.match(refusal('vectors'), { message: /^vectors does not offer/ })
  t.match(refusal('x'.repeat(500)), { message: /^Unsupported provider: x{100}\. Providers with/ })
  t.match(refusal('vectors', { providers: [provider('vectors', [])], models: [] }), { message: /\/v1\/files: none\.$/ })
  t.end()
})

test('a key that may not use every model reaches no account', (t) => {
  t.match(
    thrownBy(() => route('all', { allowed: ['all/*', 'gpt*'] })),
    { code: 'forbidden', message: /restricted to certain models and cannot use \/v1\/files/ },
  )
  t.end()
})
