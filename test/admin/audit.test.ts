// The audit that lives as long as the process.
import { test } from 'tap'
import { MemoryAudit } from '../../src/admin/audit.js'

const event = (target: string) => ({
  by: 'oncall',
  action: 'provider.pause',
  target,
  before: null,
  after: { paused: true },
})

test('each event is a line of the log and an entry, and entries come in pages, the newest first', async (t) => {
  const lines: unknown[] = []
  let nowMs = 0
  const audit = new MemoryAudit(
    () => ({ info: (fields, message) => void lines.push([message, fields]) }),
    () => ++nowMs,
  )
  for (const target of ['a', 'b', 'c']) audit.note(event(target))
  t.same(lines[0], ['admin action', event('a')])
  t.equal(lines.length, 3)
  const page = await audit.list(null, 2)
  t.same(page.items, [
    { ...event('c'), seq: 3, atMs: 3 },
    { ...event('b'), seq: 2, atMs: 2 },
  ])
  t.same(
    (await audit.list(page.next, 2)).items.map(({ target }) => target),
    ['a'],
  )
  t.equal((await audit.list(page.next, 2)).next, null)
})

test('it holds the last events alone', async (t) => {
  const audit = new MemoryAudit(
    () => ({ info: () => undefined }),
    () => 0,
  )
  for (let i = 0; i < 1200; i++) audit.note(event(String(i)))
  const { items } = await audit.list(null, 5000)
  t.equal(items.length, 500)
  t.equal(items[0]?.target, '1199')
})
