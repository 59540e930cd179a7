// References, names and routes of an imported provider.
import { test } from 'tap'
import { ImportReport } from '../../../src/config/import/import-report.js'
import { LitellmProviders, plain } from '../../../src/config/import/litellm-providers.js'

function providers() {
  const report = new ImportReport()
  const names = { providers: { one: { profile: 'first' } }, address: {}, credentials: [], doors: [] }
  const vendors = { keyVariables: () => ['KEY'], providerOf: () => null }
  return { report, providers: new LitellmProviders(names, vendors, report) }
}

test('a value of the file stays what it is, though it looks like a variable', async (t) => {
  t.equal(plain('a${b}${c}'), 'a$${b}$${c}')
})

test('a secret in clear gets one variable, however often it is there, and another one gets another', async (t) => {
  const { providers: all, report } = providers()
  t.equal(all.reference('os.environ/MINE', 'X', 'p'), '${MINE}')
  t.equal(all.reference('secret', 'X', 'p'), '${X}')
  t.equal(all.reference('other', 'X', 'q'), '${X_2}')
  t.equal(all.reference('secret', 'X', 'r'), '${X}')
  for (const nothing of [undefined, null, '', 7]) t.equal(all.reference(nothing, 'X', 'p'), null)
  t.equal(report.lines.length, 2)
})

test('a route in the name of a model is no part of it, and another provider can be named beside it', async (t) => {
  const { providers: all } = providers()
  t.same(all.targetOf({ model: 'one/responses/m' }, 'p'), { provider: 'first', model: 'm' })
  t.same(all.targetOf({ model: 'm', custom_llm_provider: 'one' }, 'p'), { provider: 'first', model: 'm' })
  t.same(all.targetOf({}, 'p'), null)
})
