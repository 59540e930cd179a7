// test/needs.sh with a made-up PATH: it names what is missing, and installs only where it is asked to.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Test, test } from 'tap'
import { codeWords, DOCS, section, tableRows } from './helpers/markdown.js'
import { readText } from './helpers/source-tree.js'

const TOOLS = readText('test/tools.txt')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split(/\s+/)[0] ?? '')

/** Runs the script where only these programs are, and an apt-get that writes down what it is asked for. */
function check(t: Test, programs: readonly string[], { userId = '0', install = '' } = {}) {
  const folder = t.testdir()
  const asked = join(folder, 'asked')
  const add = (name: string, script: string): void => {
    writeFileSync(join(folder, name), `#!/bin/bash\n${script}\n`)
    chmodSync(join(folder, name), 0o755)
  }
  symlinkSync('/bin/bash', join(folder, 'bash'))
  add('id', `echo ${userId}`)
  add('apt-get', `echo "$*" >>${asked}`)
  for (const program of programs) add(program, '')
  const { status, stderr } = spawnSync('/bin/bash', [resolve('test/needs.sh')], {
    env: { PATH: folder, SLUICE_TEST_INSTALL: install },
    encoding: 'utf8',
  })
  return { status, stderr, asked: existsSync(asked) ? readFileSync(asked, 'utf8') : '' }
}

test('prints nothing when every program is installed', async (t) => {
  t.same(check(t, TOOLS), { status: 0, stderr: '', asked: '' })
})

test('each missing program is named with its package, and nothing is installed, not even as root', async (t) => {
  const { status, stderr, asked } = check(t, ['curl'])
  t.equal(status, 1)
  t.match(stderr, /needs? redis-server \(Debian package redis-server\)/)
  t.match(stderr, /need openssl/)
  t.notMatch(stderr, /need curl/)
  t.match(stderr, /SLUICE_TEST_INSTALL=1/)
  t.equal(asked, '')
})

test('installs the missing programs, and only those, when asked to', async (t) => {
  const { status, asked } = check(t, ['curl'], { install: '1' })
  t.equal(status, 0)
  t.match(asked, /^install .* chromium openssl postgresql redis-server tinyproxy$/m)
  t.notMatch(asked, /curl/)
})

test('without root nothing is installed, and a message says so', async (t) => {
  const { status, stderr, asked } = check(t, ['curl'], { install: '1', userId: '1000' })
  t.equal(status, 1)
  t.match(stderr, /only as root/)
  t.equal(asked, '')
})

test('the documentation names every program', async (t) => {
  const row = tableRows(section(DOCS, 'Development')).find(([command = '']) => command.includes('`npm test`')) ?? []
  t.ok(TOOLS.length > 2)
  for (const tool of TOOLS) t.ok(codeWords(row[1] ?? '').includes(tool), tool)
})
