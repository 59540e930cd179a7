// The command line: commands, options, and clear words for what is wrong.
import { test } from 'tap'
import { parseCommandLine } from '../../src/config/command-line.js'
import { refusalOf } from './sources.js'

test('start is the default, with its options', (t) => {
  t.same(parseCommandLine([]), { kind: 'start', overrides: {} })
  t.same(parseCommandLine(['start']), { kind: 'start', overrides: {} })
  t.same(parseCommandLine(['--config', 'a.yaml']), { kind: 'start', overrides: { config: 'a.yaml' } })
  const args = ['start', '-c', 'a', '--port=80', '--host', '::1', '--threads', '2', '--log-level', 'debug']
  t.same(parseCommandLine(args), {
    kind: 'start',
    overrides: { config: 'a', port: '80', host: '::1', threads: '2', logLevel: 'debug' },
  })
  t.same(parseCommandLine(['check', '--config', 'x']), { kind: 'check', overrides: { config: 'x' } })
  t.end()
})

test('an option given twice counts as given last', (t) => {
  t.same(parseCommandLine(['--port', '1', '--port', '2']), { kind: 'start', overrides: { port: '2' } })
  t.end()
})

test('simulate has options of its own', (t) => {
  t.same(parseCommandLine(['simulate']), {
    kind: 'simulate',
    options: { port: null, protocol: null, tokensPerSecond: null, faultsFile: null },
  })
  const args = ['simulate', '--port', '0', '--protocol', 'x', '--tokens-per-second', '12.5', '--faults', 'f.json']
  t.same(parseCommandLine(args), {
    kind: 'simulate',
    options: { port: 0, protocol: 'x', tokensPerSecond: 12.5, faultsFile: 'f.json' },
  })
  t.end()
})

test('webhook verify takes the headers, and says which is missing', (t) => {
  const headers = ['--id', 'msg_1', '--timestamp', '1700000000', '--signature', 'v1,a v1,b']
  const options = { id: 'msg_1', timestamp: '1700000000', signature: 'v1,a v1,b', secret: null, bodyFile: null }
  t.same(parseCommandLine(['webhook', 'verify', ...headers]), { kind: 'webhook-verify', options })
  t.same(parseCommandLine(['webhook', 'verify', ...headers, '--secret', 's', '--body', 'f']), {
    kind: 'webhook-verify',
    options: { ...options, secret: 's', bodyFile: 'f' },
  })
  for (const [at, name] of ['--id', '--timestamp', '--signature'].entries()) {
    const args = ['webhook', 'verify', ...headers.filter((_, i) => i >> 1 !== at)]
    t.equal(
      refusalOf(() => parseCommandLine(args)),
      `option ${name} is needed`,
    )
  }
  t.match(
    refusalOf(() => parseCommandLine(['webhook', 'send'])),
    'only "sluice webhook verify" is known',
  )
  for (const args of [
    ['webhook', '--help'],
    ['webhook', 'verify', '-h'],
  ])
    t.same(parseCommandLine(args), { kind: 'help' })
  t.end()
})

test('help and version are found anywhere', (t) => {
  for (const args of [['--help'], ['-h'], ['help'], ['start', '--help'], ['simulate', '-h']]) {
    t.same(parseCommandLine(args), { kind: 'help' }, args.join(' '))
  }
  for (const args of [['--version'], ['-v'], ['version'], ['check', '-v'], ['simulate', '--version']]) {
    t.same(parseCommandLine(args), { kind: 'version' }, args.join(' '))
  }
  t.end()
})

test('reports an error in one line', (t) => {
  const rows: readonly (readonly [readonly string[], string])[] = [
    [['strat'], 'unknown command "strat"; did you mean "start"? See sluice --help.'],
    [['xyzzy'], 'unknown command "xyzzy". See sluice --help.'],
    [['--confg', 'x'], 'unknown option --confg; did you mean --config? See sluice --help.'],
    [['check', '--zzzzzzzz'], 'unknown option --zzzzzzzz. See sluice --help.'],
    [['check', '--tokens-per-second', '1'], 'unknown option --tokens-per-second. See sluice --help.'],
    [['--port'], 'option --port needs a value'],
    [['--config='], 'option --config needs a value'],
    [['--config', '--port', '80'], 'option --config needs a value; one that begins with "-" is written --config=VALUE'],
    [['-c', '-v'], 'option -c needs a value; one that begins with "-" is written --config=VALUE'],
    [['--toString'], 'unknown option --toString. See sluice --help.'],
    [['start', '--', 'now'], 'unexpected argument "now". See sluice --help.'],
    [['--help=yes'], 'option --help takes no value'],
    [['start', 'now'], 'unexpected argument "now". See sluice --help.'],
    [['simulate', '--port', '70000'], 'option --port must be a number from 0 to 65535'],
    [['simulate', '--port', '1.5'], 'option --port must be a number from 0 to 65535'],
  ]
  for (const [args, message] of rows)
    t.equal(
      refusalOf(() => parseCommandLine(args)),
      message,
    )
  t.match(
    refusalOf(() => parseCommandLine(['simulate', '--tokens-per-second', 'fast'])),
    /must be a number/,
  )
  t.end()
})

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
    [['teams'], /teams needs one of create, list, show, delete/],
    [['teams', 'rotate', 'x'], /only sluice teams create, list, show, delete are known/],
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
    [[], /keys needs one of create, list, show, rotate, revoke/],
    [['drop', 'app1'], /only sluice keys create, list, show, rotate, revoke are known/],
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

test('import names the gateway that is left, and its file', (t) => {
  t.same(parseCommandLine(['import', 'litellm', 'c.yaml']), { kind: 'import', file: 'c.yaml' })
  for (const args of [['--help'], ['litellm', 'c.yaml', '-h']])
    t.same(parseCommandLine(['import', ...args]), { kind: 'help' })
  for (const [args, message] of [
    [[], /only "sluice import litellm FILE" is known/],
    [['other', 'c.yaml'], /only "sluice import litellm FILE" is known/],
    [['litellm'], /needs the name of a file/],
    [['litellm', 'a', 'b'], /unexpected argument "b"/],
  ] as const) {
    t.match(
      refusalOf(() => parseCommandLine(['import', ...args])),
      message,
    )
  }
  t.end()
})
