// YAML of plain data: every parser reads back what was written, and it looks as the package `yaml` would have it.
import { test } from 'tap'
import { parse, stringify } from 'yaml'
import { defaultConfigFile } from '../../src/config/load.js'
import { toYaml } from '../../src/config/yaml-text.js'

const STRINGS = [
  ...['', ' ', 'a', 'a b', 'a  b', ' a', 'a ', 'a:b', 'a: b', 'a:', ':a', 'a #b', '#a', 'a#b', '- a', '-', '-a', 'a-'],
  ...[
    'null',
    'Null',
    '~',
    'true',
    'FALSE',
    'yes',
    'No',
    'on',
    'off',
    'y',
    'n',
    '1',
    '-1',
    '0x10',
    '1e3',
    '.5',
    '.inf',
    '.nan',
  ],
  ...[
    '[a]',
    '{a}',
    '"a"',
    "'a'",
    'a"b',
    "a'b",
    '*a',
    '&a',
    '!a',
    '%a',
    '@a',
    '`a`',
    '|',
    '>',
    '?',
    '? a',
    'a, b',
    '<<',
  ],
  ...[
    'a\nb',
    'a\tb',
    '\u0000',
    '\u007f',
    '\u0085',
    '\u2028',
    'é',
    '日本',
    '😀',
    '\\',
    'c:\\d',
    '2026-11-28',
    '12:30:45',
  ],
  ...[
    'http://127.0.0.1:80/v1',
    '/a/b',
    'a/b@c',
    'gpt*',
    '********',
    '---',
    '...',
    '--- a',
    'x'.repeat(500),
    'x '.repeat(200),
  ],
]

test('what is written is read back, whatever a string looks like', (t) => {
  for (const text of STRINGS) {
    const value = { [`k${text}`]: text, list: [text, [text], { [text]: text }], [text]: [[[], {}], { a: { b: text } }] }
    const written = toYaml(value)
    const name = encodeURIComponent(text)
    t.same(parse(written), value, name)
    t.same(parse(written, { version: '1.1', merge: false }), value, `1.1: ${name}`)
  }
  t.end()
})

test('other values are read back as well, and undefined members are left out', (t) => {
  const value = { a: null, b: true, c: [1, -2.5, 1e300, 5e-324, 0], d: {}, e: [], f: [[[1]], [{ g: [{ h: {} }] }]] }
  t.same(parse(toYaml(value)), value)
  t.same(toYaml({ a: undefined, b: { c: undefined }, d: 1 }), 'b: {}\nd: 1\n')
  t.end()
})

test('it looks as the package has it', (t) => {
  const { server, jobs, routing, content } = defaultConfigFile()
  const value = {
    server,
    list: [{ a: 1, b: [1, { c: 'x y' }] }, 'gpt-4o'],
    more: { jobs, routing, content, deep: [[1, 2]] },
  }
  t.equal(toYaml(value), stringify(value, { lineWidth: 120 }))
  t.end()
})

test('thousands of models take a small part of the time that the package takes', (t) => {
  const model = {
    targets: [{ provider: 'sim', model: 'echo', weight: 1, extraBody: {} }],
    fallbacks: [],
    affinity: 'none',
  }
  const value = { models: Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`m${i}`, model])) }
  const cpuOf = (write: () => string): number => {
    const before = process.cpuUsage()
    write()
    const { user, system } = process.cpuUsage(before)
    return user + system
  }
  toYaml(value)
  const own = Math.min(...Array.from({ length: 3 }, () => cpuOf(() => toYaml(value))))
  const other = cpuOf(() => stringify(value, { aliasDuplicateObjects: false }))
  t.ok(own * 5 < other, `${own} us, the package ${other} us`)
  t.end()
})
