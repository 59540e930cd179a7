// Programs that are not part of the project, as a shell finds them.
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The first of these names that PATH has; null if it has none. */
export function findProgram(names: readonly string[], env: NodeJS.ProcessEnv): string | null {
  const folders = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable) ?? null
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
