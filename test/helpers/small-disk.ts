// A disk of a few MiB of its own (tmpfs), for what becomes of a store that has no room. Only where the process may mount one.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Why a test that needs one is skipped. */
export const NO_SMALL_DISK = 'only root may mount a small disk'

/** The disk's directory, or null where it may not be had. However the tests end, it goes with them. */
export function mountSmallDisk(mebibytes: number): string | null {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', directory], { stdio: 'pipe' })
  } catch {
    rmSync(directory, { recursive: true })
    return null
  }
  process.once('exit', () => {
    execFileSync('umount', ['-l', directory])
    rmSync(directory, { recursive: true })
  })
  return directory
}
