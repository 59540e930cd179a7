// A folder that one process owns: a lock of the operating system on a file in it, which ends with the process, however that ends. SQLite
// makes it, since Node.js has no call for that.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'libsql'
import { codeOf } from './database-file.js'

const NAME = 'lock'
const DIRECTORY_MODE = 0o700

export type FolderLock = { release(): void }

/**
 * Locks a folder, and makes it if need be. Null: another process has it, or this one.
 * @throws what the file system says where there can be no lock
 */
export function lockFolder(folder: string): FolderLock | null {
  mkdirSync(folder, { recursive: true, mode: DIRECTORY_MODE })
  const connection = new Database(join(folder, NAME))
  try {
    // No statement is prepared: those would hold the lock until they are collected.
    connection.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT')
    return { release: () => void connection.close() }
  } catch (thrown) {
    connection.close()
    if (codeOf(thrown) === 'SQLITE_BUSY') return null
    throw thrown
  }
}
