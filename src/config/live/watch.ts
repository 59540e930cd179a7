// Tells when a file has changed, by looking at it now and then. Not by the kernel's events: those follow neither a symlink that
// is swapped (a Kubernetes ConfigMap) nor a file on a network or a bind mount, and say nothing of a file that is not there yet.
import { type StatWatcher, statSync, watchFile } from 'node:fs'

export type WatchOptions = {
  /** How often it is looked at. */
  readonly everyMs: number
  /** So long a file must have stayed the same before it is told: who writes it may not be done. */
  readonly settleMs: number
}

const USUAL: WatchOptions = { everyMs: 1000, settleMs: 300 }

export type FileWatch = {
  /** What is there now is known: it is not told again. */
  note(): void
  stop(): void
}

/** Calls `onChange` once for each time that any of the files has changed and then come to rest. Never keeps the process alive. */
export function watchFiles(files: readonly string[], onChange: () => void, options = USUAL): FileWatch {
  let timer: NodeJS.Timeout | null = null
  let known = lookAt(files)
  const settle = (): void => {
    const before = lookAt(files)
    if (timer !== null) clearTimeout(timer)
    timer = setTimeout(() => {
      timer = null
      if (lookAt(files) !== before) return settle()
      if (before === known) return
      known = before
      onChange()
    }, options.settleMs)
    timer.unref()
  }
  const watchers: [StatWatcher, () => void][] = files.map((file) => [
    // stat, not lstat: what a symlink leads to is what counts.
    watchFile(file, { interval: options.everyMs, persistent: false }, settle),
    settle,
  ])
  return {
    note() {
      known = lookAt(files)
    },
    stop() {
      if (timer !== null) clearTimeout(timer)
      for (const [watcher, listener] of watchers) watcher.removeListener('change', listener)
      for (const [watcher] of watchers) watcher.unref()
    },
  }
}

/** What tells two states of the files apart. */
function lookAt(files: readonly string[]): string {
  return files.map((file) => JSON.stringify(traitsOf(file))).join()
}

function traitsOf(file: string): readonly number[] {
  const stats = statSync(file, { throwIfNoEntry: false })
  return stats === undefined ? [] : [stats.dev, stats.ino, stats.size, stats.mtimeMs, stats.ctimeMs]
}
