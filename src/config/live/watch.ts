// Reports that a file has changed, by looking at it now and then. Not by the kernel's events: those follow neither a symlink that
// is swapped (a Kubernetes ConfigMap) nor a file on a network or a bind mount, and say nothing of a file that is not there yet.
import { type Stats, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'

export type WatchOptions = {
  /** Polling interval. */
  readonly everyMs: number
  /** A file must have stayed the same for so long before its change is reported: whoever writes it may not be done. */
  readonly settleMs: number
}

const USUAL: WatchOptions = { everyMs: 1000, settleMs: 300 }

export type FileWatch = {
  /** Acknowledges the present state, so that it is not reported. */
  note(): void
  stop(): void
}

/**
 * Calls `onChange` once for each time that any of the files has changed since the call, or since `note`, and then come to rest.
 * Never keeps the process alive.
 */
export function watchFiles(files: readonly string[], onChange: () => void, options = USUAL): FileWatch {
  let isStopped = false
  let known = lookNow(files)
  /** As the last look found them; null if that no longer counts. */
  let before: string | null = known
  let timer = setTimeout(look, options.everyMs).unref()

  function look(): void {
    void lookAt(files).then((now) => {
      if (isStopped) return
      if (now === before && now !== known) {
        known = now
        onChange()
      }
      before = now
      // `onChange` may have stopped it, or noted what is there.
      if (!isStopped) timer = setTimeout(look, now === known ? options.everyMs : options.settleMs).unref()
    })
  }

  return {
    note() {
      known = lookNow(files)
      before = null
    },
    stop() {
      isStopped = true
      clearTimeout(timer)
    },
  }
}

/** What tells two states of the files apart. On this thread: a look that is not to be overtaken. */
function lookNow(files: readonly string[]): string {
  return JSON.stringify(
    files.map((file) => {
      try {
        return traitsOf(statSync(file, { throwIfNoEntry: false }))
      } catch {
        return traitsOf(undefined)
      }
    }),
  )
}

/** The same, without waiting for a disk. What cannot be looked at is as good as not there. */
async function lookAt(files: readonly string[]): Promise<string> {
  // stat, not lstat: the target of a symlink counts.
  const found = await Promise.allSettled(files.map((file) => stat(file)))
  return JSON.stringify(found.map((one) => traitsOf(one.status === 'fulfilled' ? one.value : undefined)))
}

function traitsOf(stats: Stats | undefined): readonly number[] {
  return stats === undefined ? [] : [stats.dev, stats.ino, stats.size, stats.mtimeMs, stats.ctimeMs]
}
