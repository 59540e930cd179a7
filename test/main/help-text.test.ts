// What `sluice --help` prints.
import { test } from 'tap'
import { HELP_TEXT } from '../../src/main/help-text.js'

const COMMANDS = [
  'start',
  'check',
  'simulate',
  'keys',
  'teams',
  'budgets',
  'streams',
  'providers',
  'spend',
  'import',
  'webhook verify',
]
const OPTIONS = [
  '--config',
  '--tokens-per-second',
  '--uneven',
  '--faults',
  '--protocol',
  '--overlap-ms',
  '--by',
  '--csv',
  '--body',
  '--scope',
  '--enable',
]

test('the help has each command, and options of each', (t) => {
  for (const word of COMMANDS) t.match(HELP_TEXT, new RegExp(`^  ${word} `, 'm'), word)
  for (const option of OPTIONS) t.match(HELP_TEXT, new RegExp(`^ .*${option}\\b`, 'm'), option)
  for (const line of HELP_TEXT.split('\n')) t.ok(line.length <= 120, line)
  t.end()
})
