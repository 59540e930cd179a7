// What an import reports: paths and reasons, never values.
import { test } from 'tap'
import { ImportReport } from '../../../src/config/import/import-report.js'

test('each line is reported once, in order, and members that are known or off are not', async (t) => {
  const report = new ImportReport()
  report.note('b', 'first')
  report.noteRest('a', { known: 1, off: false, unset: null, blank: '', other: 'secret' }, new Set(['known']))
  report.note('b', 'first')
  t.same(report.lines, ['b: first', 'a.other: not carried over'])
})
