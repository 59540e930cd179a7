// A folder that one process owns.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Test, test } from 'tap'
import { lockFolder } from '../../src/sqlite/folder-lock.js'

const MODULE = fileURLToPath(new URL('../../src/sqlite/folder-lock.js', import.meta.url))

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-lock-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'deep', 'journal')
}

test('a folder has one owner, and another one when it is given back', (t) => {
  const folder = folderOf(t)
  const lock = lockFolder(folder)
  t.ok(lock)
  t.equal(lockFolder(folder), null)
  lock?.release()
  const next = lockFolder(folder)
  t.ok(next)
  next?.release()
  t.end()
})

test('a lock of another process holds until that is killed', async (t) => {
  const folder = folderOf(t)
  const text = `import(${JSON.stringify(MODULE)}).then(({ lockFolder }) => {
    lockFolder(${JSON.stringify(folder)})
    process.stdout.write('locked')
    setInterval(() => undefined, 1000)
  })`
  const child = spawn(process.execPath, ['-e', text], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  t.equal(lockFolder(folder), null)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const lock = lockFolder(folder)
  t.ok(lock, 'nothing has to be tidied up')
  lock?.release()
})

test('where there can be no folder, the file system says why', (t) => {
  const folder = folderOf(t)
  const parent = join(folder, '..')
  writeFileSync(parent, '')
  t.throws(() => lockFolder(folder), { code: 'ENOTDIR' })
  t.notOk(existsSync(folder))
  t.end()
})
