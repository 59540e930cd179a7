// The commands that are calls of the admin API: verbs, names, options, and clear words for what is wrong.
import { test } from 'tap'
import { parseCommandLine } from '../../../src/config/command-line.js'
import { refusalOf } from '../sources.js'

test('spend takes the parameters of a report and one format', (t) => {
  const parsed = (...args: string[]) => {
    const command = parseCommandLine(['spend', ...args])
    return command.kind === 'spend' ? command.options : command
  }
  t.same(parsed(), { query: {}, format: 'table', url: null, overrides: {} })
  t.same(parsed('--by', 'team,key', '--from', '2026-11-01', '--to=2026-12-01', '--json', '-c', 'a.yaml'), {
    query: { by: 'team,key', from: '2026-11-01', to: '2026-12-01' },
    ...{ format: 'json', url: null, overrides: { config: 'a.yaml' } },
  })
  t.match(parsed('--csv', '--url', 'http://a'), { format: 'csv', url: 'http://a' })
  t.same(parsed('-h'), { kind: 'help' })
  t.same(parsed('-v'), { kind: 'version' })
  t.match(
    refusalOf(() => parseCommandLine(['spend', '--json', '--csv'])),
    /--json excludes --csv/,
  )
  t.match(
    refusalOf(() => parseCommandLine(['spend', '--group', 'day'])),
    /unknown option --group/,
  )
  t.end()
})

test('teams takes a verb, a name and the members of a new team; budgets are those of keys as well', (t) => {
  const optionsOf = (...args: string[]) => {
    const command = parseCommandLine(args)
    return command.kind === 'teams' || command.kind === 'keys' ? command.options : command
  }
  t.match(optionsOf('teams', 'create', 'blue', '--models', 'gpt*', '--budget', '500/month', '--json'), {
    ...{ verb: 'create', name: 'blue', isJson: true, url: null },
    fields: { models: ['gpt*'], budgets: [{ usd: 500, per: 'month' }], limits: { concurrency: null } },
  })
  t.match(optionsOf('teams', 'list'), { verb: 'list', name: null, fields: {} })
  t.match(optionsOf('keys', 'create', 'app', '--budget', '50/month,9tokens/day'), {
    fields: {
      budgets: [
        { usd: 50, per: 'month' },
        { tokens: 9, per: 'day' },
      ],
    },
  })
  const wrong: [args: string[], message: RegExp][] = [
    [['teams'], /teams needs one of create, list, show, update, delete/],
    [['teams', 'rotate', 'x'], /only sluice teams create, list, show, update, delete are known/],
    [['teams', 'show'], /sluice teams show needs the name of a team/],
    [['teams', 'create', 'x', '--tags', 'a'], /unknown option --tags/],
    [['teams', 'create', 'x', '--budget', 'much'], /option --budget must be an amount and a period/],
  ]
  for (const [args, message] of wrong)
    t.match(
      refusalOf(() => parseCommandLine(args)),
      message,
    )
  t.same(parseCommandLine(['teams', '--help']), { kind: 'help' })
  t.same(parseCommandLine(['teams', 'list', '-h']), { kind: 'help' })
  t.end()
})

test('keys takes a verb, a name and the members of a new key; its mistakes are named', (t) => {
  const none = { fields: {}, overlapMs: null, team: null, isJson: false, url: null, overrides: {} }
  const optionsOf = (...args: string[]) => {
    const command = parseCommandLine(['keys', ...args])
    return command.kind === 'keys' ? command.options : command
  }
  t.same(optionsOf('list'), { ...none, verb: 'list', name: null })
  t.same(optionsOf('show', 'app1', '--json', '-c', 'f.yaml'), {
    ...{ ...none, verb: 'show', name: 'app1', isJson: true },
    overrides: { config: 'f.yaml' },
  })
  t.same(optionsOf('rotate', 'app1', '--overlap-ms', '0', '--url', 'http://h'), {
    ...{ ...none, verb: 'rotate', name: 'app1', overlapMs: 0, url: 'http://h' },
  })
  const limits = { requestsPerMinute: 5, tokensPerMinute: null, concurrency: null }
  t.same(optionsOf('create', 'app1', '--models', 'a, b', '--requests-per-minute', '5', '--expires-at', '2030'), {
    ...{ ...none, verb: 'create', name: 'app1' },
    fields: { models: ['a', 'b'], limits, expiresAt: '2030' },
  })
  for (const [args, message] of [
    [[], /keys needs one of create, list, show, update, rotate, revoke/],
    [['drop', 'app1'], /only sluice keys create, list, show, update, rotate, revoke are known/],
    [['show'], /sluice keys show needs the name of a key/],
    [['show', '--json'], /needs the name of a key/],
    [['list', 'app1'], /unexpected argument "app1"/],
    [['create', 'a', '--concurrency', 'x'], /--concurrency must be a number/],
  ] as const) {
    t.match(
      refusalOf(() => parseCommandLine(['keys', ...args])),
      message,
    )
  }
  t.same(parseCommandLine(['keys', '--help']), { kind: 'help' })
  t.same(parseCommandLine(['keys', 'list', '-h']), { kind: 'help' })
  t.end()
})

test('an update has the members alone that are given; none removes one, of a new key it is a name', (t) => {
  const fieldsOf = (line: string) => {
    const command = parseCommandLine(line.split(' '))
    return command.kind === 'teams' || command.kind === 'keys' ? command.options.fields : command
  }
  t.same(fieldsOf('keys update app --concurrency 5'), { limits: { concurrency: 5 } })
  t.same(fieldsOf('keys update app --tokens-per-minute none --models a,b --enable'), {
    ...{ limits: { tokensPerMinute: null }, models: ['a', 'b'], disabled: false },
  })
  t.same(fieldsOf('keys update app --team none --tags none --budget none --expires-at none --disable'), {
    ...{ team: null, tags: [], budgets: [], expiresAt: null, disabled: true },
  })
  t.same(fieldsOf('teams update blue --budget 5/day'), { budgets: [{ usd: 5, per: 'day' }] })
  t.match(fieldsOf('keys create app --team none --tags none'), { team: 'none', tags: ['none'] })
  for (const [line, message] of [
    ['keys update app', /sluice keys update needs an option that changes something/],
    ['teams update blue --json', /sluice teams update needs an option that changes something/],
    ['teams update blue --enable --disable', /--enable excludes --disable/],
    ['teams create blue --concurrency none', /--concurrency must be a number/],
    ['teams update', /sluice teams update needs the name of a team/],
  ] as const) {
    t.match(
      refusalOf(() => parseCommandLine(line.split(' '))),
      message,
    )
  }
  t.end()
})

test('budgets, streams and providers take a verb, and the members that it needs', (t) => {
  const optionsOf = (line: string) => {
    const command = parseCommandLine(line.split(' '))
    return 'options' in command ? command.options : command
  }
  const place = { isJson: false, url: null, overrides: {} }
  t.same(optionsOf('budgets create b --scope user:key:app --per day --usd 0.5'), {
    ...{ verb: 'create', name: 'b', ...place, user: null },
    fields: { scope: 'user:key:app', per: 'day', usd: 0.5 },
  })
  t.match(optionsOf('budgets update b --tokens 7 --reason x'), { fields: { tokens: 7 } })
  t.same(optionsOf('budgets adjust b --usd=-2 --reason refund --user anna'), {
    ...{ verb: 'adjust', name: 'b', ...place, user: 'anna' },
    fields: { usd: -2, reason: 'refund', user: 'anna' },
  })
  t.match(optionsOf('budgets show b --user anna'), { verb: 'show', user: 'anna', fields: {} })
  t.same(optionsOf('streams list --key app --model fast'), {
    ...{ verb: 'list', name: null, ...place },
    query: { key: 'app', model: 'fast' },
  })
  t.same(optionsOf('streams cancel abc --json'), { verb: 'cancel', name: 'abc', ...place, isJson: true, query: {} })
  t.same(optionsOf('providers pause north -c f.yaml'), {
    ...{ verb: 'pause', name: 'north', isJson: false, url: null, overrides: { config: 'f.yaml' } },
  })
  for (const noun of ['budgets', 'streams', 'providers']) t.same(optionsOf(`${noun} -h`), { kind: 'help' })
  for (const [line, message] of [
    ['budgets', /budgets needs one of create, list, show, update, adjust, delete/],
    ['budgets adjust b --usd -5', /one that begins with "-" is written --usd=VALUE/],
    ['budgets create b --usd many', /option --usd must be a number/],
    ['streams watch x', /only sluice streams list, cancel are known/],
    ['providers pause', /sluice providers pause needs the name of a provider/],
    ['providers list --key x', /unknown option --key/],
    ['budget list', /unknown command "budget"; did you mean "budgets"/],
  ] as const) {
    t.match(
      refusalOf(() => parseCommandLine(line.split(' '))),
      message,
    )
  }
  t.end()
})
