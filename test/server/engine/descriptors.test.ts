// When descriptors are short, and when there are enough again.
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { DescriptorBudget, readDescriptors } from '../../../src/server/engine/descriptors.js'

test('a part is kept back, and twice that must be free before there are enough again', (t) => {
  for (const [limit, short, ample] of [
    [20_000, 19_000, 17_999],
    [256, 224, 191],
    [40, 30, 19],
  ] as const) {
    const budget = new DescriptorBudget({ open: short - 1, limit })
    t.equal(budget.isShort, false)
    budget.change(1)
    t.equal(budget.isShort, true, `${short} of ${limit}`)
    budget.set(ample + 1)
    t.same([budget.isShort, budget.isAmple], [false, false])
    budget.change(-1)
    t.equal(budget.isAmple, true, `${ample} of ${limit}`)
    t.equal(budget.open, ample)
  }
  t.end()
})

test('reads the number of descriptors and their limit from the system', (t) => {
  const before = readDescriptors()
  if (before === null) return void t.end()
  const descriptor = openSync('/dev/null', 'r')
  t.equal(readDescriptors()?.open, before.open + 1)
  closeSync(descriptor)
  t.ok(before.open > 2 && before.limit > before.open)
  t.end()
})

test('an unknown or unlimited limit is null, and descriptors that cannot be counted count as used up', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const limits = join(folder, 'limits')
  t.equal(readDescriptors({ folder, limits }), null)
  writeFileSync(limits, 'Max open files            unlimited            unlimited            files\n')
  t.equal(readDescriptors({ folder, limits }), null)
  writeFileSync(limits, 'Max open files            1024                 4096                 files\n')
  t.same(readDescriptors({ folder, limits }), { open: 1, limit: 1024 })
  t.same(readDescriptors({ folder: join(folder, 'gone'), limits }), { open: 1024, limit: 1024 })
  t.end()
})
