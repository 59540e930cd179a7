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
    options: { port: null, protocol: null, tokensPerSecond: null, isUneven: false, faultsFile: null },
  })
  const args = [
    'simulate',
    '--port',
    '0',
    '--protocol',
    'x',
    '--tokens-per-second',
    '12.5',
    '--uneven',
    '--faults',
    'f.json',
  ]
  t.same(parseCommandLine(args), {
    kind: 'simulate',
    options: { port: 0, protocol: 'x', tokensPerSecond: 12.5, isUneven: true, faultsFile: 'f.json' },
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
