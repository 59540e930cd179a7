// The models in the server's form.
import { test } from 'tap'
import { modelListing } from '../../../../src/protocols/ollama-chat/surface/models.js'
import { thrownBy } from '../../../helpers/thrown.js'

const MODEL = { id: 'fast', object: 'model', created: 1_700_000_000, owned_by: 'local' }

test('the list has what clients read of each model, and one is shown by the name in a body', async (t) => {
  t.match(
    modelListing.encodeList([MODEL], () => ''),
    {
      models: [{ name: 'fast', model: 'fast', modified_at: '2023-11-14T22:13:20.000Z', details: { family: 'local' } }],
    },
  )
  const { asked } = modelListing
  t.equal(asked?.readName({ model: 'fast' }), 'fast')
  t.equal(asked?.readName({ name: 'fast' }), 'fast')
  t.match(
    thrownBy(() => asked?.readName({})),
    { param: 'model' },
  )
  t.match(asked?.encodeModel(MODEL), { details: { family: 'local' }, capabilities: ['completion', 'tools'] })
  t.match(modelListing.encodeModel({ id: 'x' }), { modified_at: '1970-01-01T00:00:00.000Z' })
})
