// What options of a command line say, and what is wrong with them.
import { test } from 'tap'
import { readBudgets, readList, readNumber, readOptions, text } from '../../../src/config/sources/shell-options.js'

test('budgets are amounts in dollars or tokens, each for a period', (t) => {
  t.same(readBudgets('--budget', '50/month'), [{ usd: 50, per: 'month' }])
  t.same(readBudgets('--budget', '0.5usd/hour, 1000000tokens/total'), [
    { usd: 0.5, per: 'hour' },
    { tokens: 1_000_000, per: 'total' },
  ])
  t.equal(readBudgets('--budget', undefined), undefined)
  for (const wrong of ['50', '50/year', '-5/day', '$50/month', '50eur/month', '50/month,', '1e3/day']) {
    t.throws(() => readBudgets('--budget', wrong), /such as 50\/month/)
  }
  t.end()
})

test('options are read strictly, and the first one that is wrong is named', (t) => {
  const options = { name: { type: 'string' }, json: { type: 'boolean' } } as const
  t.strictSame({ ...readOptions(['--name', 'a', '--json'], options) }, { name: 'a', json: true })
  const wrong: [args: string[], message: RegExp][] = [
    [['--nmae', 'a'], /unknown option --nmae; did you mean --name\?/],
    [['--name'], /option --name needs a value/],
    [['--name='], /option --name needs a value/],
    [['--name', '--json'], /one that begins with "-" is written --name=VALUE/],
    [['--json=x'], /option --json takes no value/],
    [['x'], /unexpected argument "x"/],
  ]
  for (const [args, message] of wrong) t.throws(() => readOptions(args, options), message)
  t.end()
})

test('lists, texts and numbers', (t) => {
  t.same(readList('a, b'), ['a', 'b'])
  t.equal(readList(true), undefined)
  t.equal(text(undefined), undefined)
  t.equal(readNumber('--n', '2.5', 10), 2.5)
  t.equal(readNumber('--n', undefined, 10), null)
  t.throws(() => readNumber('--port', '80.5', 65_535), /from 0 to 65535/)
  t.end()
})
