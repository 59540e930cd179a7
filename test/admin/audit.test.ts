// The audit that lives as long as the process.
import { test } from 'tap'
import { type AuditEntry } from '../../src/accounts/types.js'
import { MemoryAudit, StoreAudit } from '../../src/admin/audit.js'
import { GatewayError } from '../../src/errors.js'

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

test('with a database, entries are stored there and listed from there; one that is not stored is a warning', async (t) => {
  const lines: unknown[][] = []
  const stored: object[] = []
  let isUp = true
  const store = {
    async appendAudit(entry: AuditEntry) {
      if (!isUp) throw new GatewayError('overloaded')
      stored.push(entry)
    },
    listAudit: async () => ({ entries: [{ ...event('a'), seq: 9, atMs: 7 }], next: 9 }),
  }
  const log = {
    info: (_: object, message: string) => void lines.push([message]),
    warn: ({ reason }: { reason?: string }, message: string) => void lines.push([message, reason]),
  }
  const audit = new StoreAudit(
    store,
    () => log,
    () => 7,
  )
  audit.note(event('a'))
  audit.log(event('recorded by the store itself'))
  t.same(stored, [{ ...event('a'), atMs: 7 }])
  isUp = false
  audit.note(event('b'))
  await new Promise((resolve) => setImmediate(resolve))
  const done = ['admin action']
  t.same(lines, [done, done, done, ['audit entry not stored', 'The gateway is at capacity.']])
  t.same(await audit.list(null, 5), { items: [{ ...event('a'), seq: 9, atMs: 7 }], next: 9 })
})
