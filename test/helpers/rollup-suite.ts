// What every database must hold of rollups and their reports: one suite, run over each of them.
import { test } from 'tap'
import { addRollups } from '../../src/accounts/database/rollups/add-rollups.js'
import { UserNames } from '../../src/accounts/database/rollups/user-names.js'
import { type Database } from '../../src/accounts/database/rows.js'
import { type SpendDimension, type SpendQuery } from '../../src/accounts/rollups/reports.js'
import { DAY_MS, HOUR_MS, noCounts, type RollupBatch, type RollupRow } from '../../src/accounts/rollups/types.js'
import { type OpenAccounts } from './accounts-rig.js'

/** 2026-11-01 and the hours of that day. */
const DAY = Date.UTC(2026, 10, 1) / DAY_MS
const FIRST_HOUR = DAY * 24

function row(hour: number, members: Partial<RollupRow['source']> = {}, costNano = 1): RollupRow {
  return {
    hour: FIRST_HOUR + hour,
    source: {
      ...{ owner: 'key_a', keyName: 'app', team: 'blue', model: 'm', provider: 'north', tags: [] },
      ...members,
    },
    counts: { ...noCounts(), requests: 1, attempts: 2, inputTokens: 10, outputTokens: 5, cachedTokens: 3, costNano },
  }
}

let writers = 0
/** Each of a writer of its own, unless it says otherwise. */
function batch(rows: readonly RollupRow[], members: Partial<RollupBatch> = {}): RollupBatch {
  writers += 1
  return { writer: `w${writers}`, sequence: 1, rows, users: [], ...members }
}

function query(by: readonly SpendDimension[], members: Partial<SpendQuery> = {}): SpendQuery {
  return { fromMs: DAY * DAY_MS, toMs: (DAY + 31) * DAY_MS, by, after: null, limit: 100, ...members }
}

const FILLED = { days: 30, keys: 5, users: 40 }

/** November 2026 with a row for each hour and model, and each end user of each key on each day. */
export async function fillMonth(db: Database): Promise<void> {
  const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n)
  const rows = numbers(FILLED.days * 24).map((hour) => row(hour, { model: `m${hour % 3}` }))
  const users = numbers(FILLED.days * FILLED.keys * FILLED.users).map((n) => {
    const [day, k] = [DAY + (n % FILLED.days), Math.floor(n / FILLED.days) % FILLED.keys]
    const name = `u${Math.floor(n / FILLED.days / FILLED.keys)}`
    return { day, owner: `key_${k}`, keyName: `k${k}`, user: name, counts: { ...noCounts(), requests: 1 } }
  })
  await addRollups(db, batch(rows, { users }), new UserNames(), 0)
}

/** Runs the whole suite over one kind of store. */
export function rollupSuite(kind: string, open: OpenAccounts): void {
  batchSuite(kind, open)
  reportSuite(kind, open)
  userSuite(kind, open)
}

function batchSuite(kind: string, open: OpenAccounts): void {
  test(`${kind}: a batch is added once, however often it is sent, and batches of one hour add up`, async (t) => {
    const { store } = (await open(t)).node
    const first = batch([row(0), row(0, { provider: 'south' })], { writer: 'same' })
    await Promise.all([store.addRollups(first), store.addRollups(first), store.addRollups(first)])
    await store.addRollups({ ...first, sequence: 2 })
    await store.addRollups(first)
    await store.addRollups(batch([row(0), row(1)]))
    const { rows, total } = await store.reportSpend(query(['provider']))
    t.match(rows, [
      { provider: 'north', requests: 4, attempts: 8, inputTokens: 40, outputTokens: 20, cachedTokens: 12, costNano: 4 },
      { provider: 'south', requests: 2, costNano: 2 },
    ])
    t.match(total, { requests: 6, errors: 0, costNano: 6 })
  })

  test(`${kind}: what was spent stays where it was spent: a key that changes its team or its tags begins another row`, async (t) => {
    const { store } = (await open(t)).node
    await store.addRollups(batch([row(0), row(0, { team: '' }), row(0, { team: 'red', tags: ['x', 'y'] })]))
    const { rows } = await store.reportSpend(query(['team', 'tag']))
    t.match(rows, [
      { team: null, tag: null, requests: 1 },
      { team: 'blue', tag: null, requests: 1 },
      { team: 'red', tag: 'x', requests: 1 },
      { team: 'red', tag: 'y', requests: 1 },
    ])
    t.equal((await store.reportSpend(query(['tag']))).total.requests, 3, 'the total counts no request twice')
  })

  test(`${kind}: many rows at once, of several days`, async (t) => {
    const { store } = (await open(t)).node
    const rows = Array.from({ length: 2000 }, (_, n) => row(n % 48, { model: `m${n}`, tags: ['a', 'b'] }, n))
    await store.addRollups(batch(rows))
    const { rows: days, total } = await store.reportSpend(query(['day']))
    t.match(days, [
      { day: '2026-11-01', requests: 1008 },
      { day: '2026-11-02', requests: 992 },
    ])
    t.match(total, { requests: 2000, costNano: (2000 * 1999) / 2 })
  })
}

function reportSuite(kind: string, open: OpenAccounts): void {
  test(`${kind}: a report has the hours or the days that are asked for, and no others`, async (t) => {
    const { store } = (await open(t)).node
    await store.addRollups(batch([row(-1), row(0), row(23), row(24), row(31 * 24)]))
    const requests = async (fromMs: number, toMs: number) =>
      (await store.reportSpend(query(['team'], { fromMs, toMs }))).total.requests
    const from = DAY * DAY_MS
    t.equal(await requests(from, from + 31 * DAY_MS), 3)
    t.equal(await requests(from, from + DAY_MS), 2)
    t.equal(await requests(from + HOUR_MS, from + DAY_MS), 1)
    t.equal(await requests(from, from + HOUR_MS), 1)
    t.equal(await requests(from + 100 * DAY_MS, from + 101 * DAY_MS), 0)
    const hours = { fromMs: from - HOUR_MS, toMs: from + 25 * HOUR_MS }
    t.match((await store.reportSpend(query(['day'], hours))).rows, [
      { day: '2026-10-31', requests: 1 },
      { day: '2026-11-01', requests: 2 },
      { day: '2026-11-02', requests: 1 },
    ])
  })

  test(`${kind}: pages follow each other without a gap, by whatever they are grouped`, async (t) => {
    const { store } = (await open(t)).node
    const rows = Array.from({ length: 60 }, (_, n) =>
      row((n % 3) * 24, {
        ...{ team: n % 2 === 0 ? 'A' : 'a', model: `m${n % 5}`, owner: `key_${n % 4}`, keyName: `k${n % 4}` },
        tags: n % 7 === 0 ? [] : ['x', `t${n % 7}`],
      }),
    )
    await store.addRollups(batch(rows))
    for (const by of [['team', 'key', 'day'], ['tag', 'model'], ['provider'], ['day', 'tag', 'key', 'team']] as const) {
      const whole = await store.reportSpend(query(by, { limit: 1000 }))
      t.equal(whole.next, null)
      const paged: object[] = []
      let after: SpendQuery['after'] = null
      do {
        const page: Awaited<ReturnType<typeof store.reportSpend>> = await store.reportSpend(
          query(by, { limit: 7, after }),
        )
        paged.push(...page.rows)
        after = page.next
        t.same(page.total, whole.total)
      } while (after !== null)
      t.same(paged, whole.rows, by.join())
    }
  })

  test(`${kind}: hours at both ends of whole days are added to them`, async (t) => {
    const { store } = (await open(t)).node
    await store.addRollups(batch([row(0), row(1), row(23), row(24), row(47), row(48), row(49)]))
    const range = { fromMs: DAY * DAY_MS + HOUR_MS, toMs: (DAY + 2) * DAY_MS + HOUR_MS }
    t.match(await store.reportSpend(query(['day'], range)), {
      rows: [
        { day: '2026-11-01', requests: 2 },
        { day: '2026-11-02', requests: 2 },
        { day: '2026-11-03', requests: 1 },
      ],
      total: { requests: 5 },
    })
    t.match((await store.reportSpend(query(['team'], range))).rows, [{ team: 'blue', requests: 5 }])
  })

  test(`${kind}: keys of one name are told apart by their ids, those of the file have none`, async (t) => {
    const { store } = (await open(t)).node
    await store.addRollups(batch([row(0), row(0, { owner: 'key_b' }), row(0, { owner: 'file:app' })]))
    t.match((await store.reportSpend(query(['key']))).rows, [
      { key: 'app', keyId: null },
      { key: 'app', keyId: 'key_a' },
      { key: 'app', keyId: 'key_b' },
    ])
  })

  test(`${kind}: a key's own spend is that of today and of this month`, async (t) => {
    const { store } = (await open(t)).node
    const nowHour = Math.floor(Date.now() / HOUR_MS)
    const monthHour = Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth()) / HOUR_MS
    const at = (hour: number, members = {}) => ({ ...row(0, members), hour })
    await store.addRollups(
      batch([at(nowHour), at(nowHour, { model: 'n' }), at(nowHour, { owner: 'key_b' }), at(monthHour - 1)]),
    )
    const { today, month } = await store.reportKeyUsage('key_a')
    t.match(today, { requests: 2, costNano: 2, inputTokens: 20 })
    t.match(month, { requests: 2 })
    t.match(await store.reportKeyUsage('key_x'), { today: { requests: 0 }, month: { costNano: 0 } })
  })
}

function userSuite(kind: string, open: OpenAccounts): void {
  const today = Math.floor(Date.now() / DAY_MS)
  const range = { fromMs: today * DAY_MS, toMs: (today + 1) * DAY_MS }
  const user = (name: string, owner = 'key_a') => {
    return { day: today, owner, keyName: 'app', user: name, counts: { ...noCounts(), requests: 1 } }
  }

  test(`${kind}: end users of a key are counted apart up to 10,000 a day, the others together`, async (t) => {
    const { node, reopen } = await open(t)
    const users = Array.from({ length: 10_010 }, (_, n) => user(`u${n}`))
    await node.store.addRollups(batch([], { users: [...users, user('u1', 'key_b')] }))
    await node.store.addRollups(batch([], { users: [user('u5'), user('new')] }))
    const again = await reopen()
    await again.store.addRollups(batch([], { users: [user('u6'), user('newer')] }))
    const { rows, total } = await again.store.reportSpend(query(['user', 'key'], { ...range, limit: 20_000 }))
    const of = (name: string) =>
      rows.filter((each) => each.user === name).map(({ requests, keyId }) => [keyId, requests])
    t.equal(rows.length, 10_002)
    t.equal(total.requests, 10_015)
    t.same(
      [of('other'), of('u5'), of('u6'), of('u1')],
      [
        [['key_a', 12]],
        [['key_a', 2]],
        [['key_a', 2]],
        [
          ['key_a', 1],
          ['key_b', 1],
        ],
      ],
    )
  })

  test(`${kind}: end users of whole months and of days add up to the same, in whatever order and pages`, async (t) => {
    const { store } = (await open(t)).node
    const users = Array.from({ length: 400 }, (_, n) => ({
      ...user(`u${n % 37}`, `key_${n % 3}`),
      ...{ keyName: `k${n % 3}`, day: DAY - 5 + (n % 41) },
    }))
    await store.addRollups(batch([], { users }))
    const orders = [
      ['user'],
      ['user', 'key'],
      ['key', 'user'],
      ['user', 'day'],
      ['day', 'user'],
      ['key', 'user', 'day'],
    ]
    for (const by of orders as SpendDimension[][]) {
      // From October 28 to December 3, and to the end of what there is: whole months, and days on both sides.
      for (const [first, end] of [
        [DAY - 4, DAY + 33],
        [DAY - 4, DAY + 36],
        [DAY, DAY + 30],
        [DAY + 2, DAY + 9],
      ] as const) {
        const asked = { fromMs: first * DAY_MS, toMs: end * DAY_MS }
        const expected = users.filter(({ day }) => day >= first && day < end)
        const found: Awaited<ReturnType<typeof store.reportSpend>>['rows'][number][] = []
        let after: SpendQuery['after'] = null
        do {
          const page: Awaited<ReturnType<typeof store.reportSpend>> = await store.reportSpend(
            query(by, { ...asked, after, limit: 19 }),
          )
          found.push(...page.rows)
          after = page.next
          t.equal(page.total.requests, expected.length, `${by} ${first} ${end}`)
        } while (after !== null)
        const nameOf = (row: { user?: string; key?: string; day?: string | number }) =>
          JSON.stringify(by.map((name) => row[name as 'user']))
        const names = expected.map(({ user: name, keyName, day }) =>
          nameOf({ user: name, key: keyName, day: new Date(day * DAY_MS).toISOString().slice(0, 10) }),
        )
        t.same(found.map(nameOf), [...new Set(names)].sort(), `${by} ${first} ${end}`)
        t.equal(
          found.reduce((sum, { requests }) => sum + requests, 0),
          expected.length,
        )
      }
    }
  })
}
