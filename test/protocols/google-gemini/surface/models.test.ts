// The list of models in pages.
import { test } from 'tap'
import { modelListing } from '../../../../src/protocols/google-gemini/surface/models.js'
import { thrownBy } from '../../../helpers/thrown.js'

const MODELS = ['a', 'b/c', 'd'].map((id) => ({ id, object: 'model', created: 0, owned_by: 'x' }))

const list = (query: Record<string, string>) => modelListing.encodeList(MODELS, (name) => query[name] ?? '')

test('an entry is named as the vendor names it', async (t) => {
  t.same(modelListing.encodeModel({ id: 'b/c' }), {
    name: 'models/b/c',
    version: '1',
    displayName: 'b/c',
    supportedGenerationMethods: ['generateContent', 'streamGenerateContent', 'countTokens'],
  })
})

test('pages continue where the last one ended', async (t) => {
  const names: unknown[] = []
  let pageToken = ''
  let pages = 0
  do {
    const page = list({ pageSize: '2', pageToken }) as { models: { name: string }[]; nextPageToken?: string }
    names.push(...page.models.map(({ name }) => name))
    pageToken = page.nextPageToken ?? ''
    pages += 1
  } while (pageToken !== '' && pages < 5)
  t.same([names, pages], [['models/a', 'models/b/c', 'models/d'], 2])
  t.notOk('nextPageToken' in list({}))
  t.notOk('nextPageToken' in list({ pageSize: '99999' }), 'a size above the largest is the largest')
})

test('a wrong parameter is refused by name', async (t) => {
  t.equal(thrownBy(() => list({ pageSize: 'x' })).param, 'pageSize')
  t.equal(thrownBy(() => list({ pageToken: 'eA' })).param, 'pageToken')
})
