// Commands of a shell against the admin API and a real database, in this process.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test } from 'tap'
import { createDirectoryMemory } from '../../src/accounts/directory/memory.js'
import { runAdminCommand } from '../../src/admin/command/admin-command.js'
import { type AdminContext } from '../../src/admin/context.js'
import { type AdminLoop } from '../../src/admin/loops/loop-calls.js'
import { parseCommandLine } from '../../src/config/command-line.js'
import { type AdminCommand } from '../../src/config/sources/admin-commands.js'
import { openNode } from './accounts-rig.js'
import { adminContext, startAdmin, WRITE_KEY } from './admin.js'

/** Runs a line, and gives back what it prints; the words of the line are separated by single spaces. */
export type RunLine = (line: string) => Promise<string[]>

export async function adminShell(
  t: Test,
  loops: readonly AdminLoop[] = [],
  changes: Partial<AdminContext> = {},
): Promise<RunLine> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-admin-'))
  const before = process.env.ADMIN_KEY
  process.env.ADMIN_KEY = WRITE_KEY
  t.teardown(() => {
    if (before === undefined) delete process.env.ADMIN_KEY
    else process.env.ADMIN_KEY = before
    rmSync(folder, { recursive: true, force: true })
  })
  const database = { store: 'sqlite', path: join(folder, 'accounts.db') } as const
  const node = await openNode(t, { database, directory: createDirectoryMemory(50), fileKeys: [], clockOffset: null })
  const { url } = await startAdmin(t, adminContext(loops, { accounts: () => node.store, ...changes }).context)
  return async (line) => {
    const lines: string[] = []
    const command = parseCommandLine([...line.split(' '), '--url', url]) as AdminCommand
    await runAdminCommand(command, (printed) => void lines.push(printed))
    return lines
  }
}
