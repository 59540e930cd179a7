// What is reported of an account database that fails: each trouble once, until it is over.
import { test } from 'tap'
import { Troubles } from '../../src/accounts/troubles.js'
import { errorData, GatewayError } from '../../src/errors.js'

function setUp() {
  const lines: string[] = []
  const troubles = new Troubles((line) => void lines.push(line))
  const database = {
    failureOf: (cause: unknown) => new GatewayError('overloaded', { cause }),
    shared: { isAway: (thrown: unknown) => thrown instanceof Error && thrown.message === 'away' } as never,
  }
  const fail = (message: string) => troubles.failed(new Error(message), database)
  return { lines, troubles, fail }
}

test('a database that is away is reported once, every other failure each time', (t) => {
  const { lines, troubles, fail } = setUp()
  t.equal(fail('away').data.code, 'overloaded')
  fail('away')
  fail('full')
  fail('full')
  troubles.answered()
  troubles.answered()
  fail('away')
  t.same(lines, [
    ...['overloaded: away', 'overloaded: full', 'overloaded: full'],
    ...['is available again', 'overloaded: away'],
  ])
  t.end()
})

test('after a start without the database its failures are known, and what keeps it from being used is reported once', (t) => {
  const { lines, troubles, fail } = setUp()
  troubles.startedAway('started')
  fail('away')
  troubles.refused(errorData('misconfigured', { message: 'not yet', retryable: true }))
  for (const message of ['taken', 'taken', 'other']) troubles.refused(errorData('misconfigured', { message }))
  troubles.answered()
  t.same(lines, ['started', 'taken', 'other', 'is available again'])
  t.end()
})

test('budgets that cannot be held are reported when they appear', (t) => {
  const { lines, troubles } = setUp()
  for (const reason of [null, 'one.', 'one.', 'two.', null, 'two.']) troubles.unheld(reason)
  t.same(
    lines.map((line) => line.slice(0, 4)),
    ['one.', 'two.', 'two.'],
  )
  t.end()
})
