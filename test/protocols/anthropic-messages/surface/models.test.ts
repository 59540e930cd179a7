// The list of models in this API's form: entries, pages in both directions, parameters that are wrong.
import { test } from 'tap'
import { modelListing } from '../../../../src/protocols/anthropic-messages/surface/models.js'

const MODELS = Array.from({ length: 45 }, (_, i) => ({
  id: `m${i}`,
  object: 'model',
  created: 1_700_000_000,
  owned_by: 'north',
}))

function page(query: Record<string, string> = {}) {
  return modelListing.encodeList(MODELS, (name) => query[name] ?? '') as {
    data: { id: string }[]
    has_more: boolean
    first_id: string | null
    last_id: string | null
  }
}

test('an entry has a type, a name to show and a time', (t) => {
  const entry = { type: 'model', id: 'm0', display_name: 'm0', created_at: '2023-11-14T22:13:20Z' }
  t.same(modelListing.encodeModel(MODELS[0] ?? {}), entry)
  t.same(page({ limit: '1' }).data, [entry])
  t.end()
})

test('pages continue from the last id to the end', (t) => {
  const seen: string[] = []
  let at: Record<string, string> = {}
  for (let more = true; more; ) {
    const { data, has_more, last_id } = page(at)
    seen.push(...data.map(({ id }) => id))
    more = has_more
    at = { after_id: last_id ?? '' }
  }
  t.same(
    seen,
    MODELS.map(({ id }) => id),
  )
  t.same(page({ after_id: 'm44' }), { data: [], has_more: false, first_id: null, last_id: null })
  t.end()
})

test('pages go back from the first id to the beginning', (t) => {
  t.match(page({ before_id: 'm30', limit: '10' }), { has_more: true, first_id: 'm20', last_id: 'm29' })
  t.match(page({ before_id: 'm5', limit: '10' }), { has_more: false, first_id: 'm0', last_id: 'm4' })
  t.end()
})

test('a wrong parameter is refused by name', (t) => {
  for (const [query, message] of [
    [{ limit: '0' }, /^limit must be a number from 1 to 1000/],
    [{ limit: '1001' }, /^limit/],
    [{ limit: 'x' }, /^limit/],
    [{ after_id: 'none' }, /^after_id must be the id of a listed model/],
    [{ before_id: 'none' }, /^before_id/],
    [{ after_id: 'm1', before_id: 'm2' }, /^after_id cannot be combined with before_id/],
  ] as const) {
    t.throws(() => page(query), { message })
  }
  t.end()
})
