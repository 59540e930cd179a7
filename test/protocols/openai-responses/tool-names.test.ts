// Names of tools on other wires, and the way back.
import { test } from 'tap'
import {
  flatName,
  identityOf,
  listTools,
  packNames,
  unpackName,
} from '../../../src/protocols/openai-responses/tool-names.js'

const TOOLS = [
  { type: 'function', name: 'f' },
  { type: 'custom', name: 'patch' },
  {
    type: 'namespace',
    name: 'files',
    tools: [
      { type: 'function', name: 'read' },
      { type: 'custom', name: 'write' },
    ],
  },
  { type: 'tool_search', execution: 'client' },
  { type: 'tool_search' },
  { type: 'web_search' },
]

test('a tool has one flat name, at most 64 characters long', async (t) => {
  t.equal(flatName(null, 'f'), 'f')
  t.equal(flatName('files', 'read'), 'files__read')
  const long = flatName('n'.repeat(40), 'm'.repeat(40))
  t.equal(long.length, 64)
  t.match(long, /^n{40}__m+_[0-9a-f]{8}$/)
  t.not(flatName('n'.repeat(40), `${'m'.repeat(39)}x`), long, 'names that differ at their ends stay apart')
})

test('all tools are listed, those in namespaces too; a search that the vendor runs is the vendor’s', async (t) => {
  const listed = listTools({ tools: TOOLS })
  t.same(
    listed.map(({ kind, flat, path }) => [kind, flat, path]),
    [
      ['function', 'f', 'tools.0'],
      ['custom', 'patch', 'tools.1'],
      ['function', 'files__read', 'tools.2.tools.0'],
      ['custom', 'files__write', 'tools.2.tools.1'],
      ['search', 'tool_search', 'tools.3'],
      [null, 'tool_search', 'tools.4'],
      [null, 'web_search', 'tools.5'],
    ],
  )
  t.same(listTools({}), [])
  t.same(
    listTools({ tools: [7, { type: 'namespace', name: 'a', tools: [{ type: 'namespace', name: 'b', tools: [] }] }] })
      .length,
    1,
  )
})

test('tools that the conversation has added count once', async (t) => {
  const clock = { type: 'function', name: 'clock' }
  const input = [
    { type: 'message', role: 'user', content: 'hi' },
    { type: 'additional_tools', tools: [clock, { type: 'function', name: 'f' }] },
    { type: 'tool_search_output', tools: [clock, { type: 'custom', name: 'clock' }] },
    7,
  ]
  const listed = listTools({ tools: TOOLS.slice(0, 1), input })
  t.same(
    listed.map(({ kind, flat, path }) => [kind, flat, path]),
    [
      ['function', 'f', 'tools.0'],
      ['function', 'clock', 'input.1.tools.0'],
      ['custom', 'clock', 'input.2.tools.1'],
    ],
  )
  t.not(identityOf(listed[1] as never), identityOf(listed[2] as never))
})

test('a call finds its tool again by its flat name, also after a journey between threads', async (t) => {
  const packed = JSON.parse(JSON.stringify(packNames(listTools({ tools: TOOLS }))))
  t.same(unpackName(packed, 'patch'), { kind: 'custom', name: 'patch', namespace: null })
  t.same(unpackName(packed, 'files__read'), { kind: 'function', name: 'read', namespace: 'files' })
  t.same(unpackName(packed, 'files__write'), { kind: 'custom', name: 'write', namespace: 'files' })
  t.same(unpackName(packed, 'tool_search'), { kind: 'search', name: 'tool_search', namespace: null })
  for (const name of ['f', 'unheard_of', 'toString', '__proto__']) {
    t.same(unpackName(packed, name), { kind: 'function', name, namespace: null })
  }
  t.notOk('f' in packed, 'a plain function needs no way back')
})
