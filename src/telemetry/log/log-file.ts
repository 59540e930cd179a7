// The log in a file that may be rotated: it is reopened on request, or when its path no longer leads to the open file. A write in
// progress is completed in the old file, so no line is lost or cut at a rotation.
import { close, fstatSync, mkdirSync, openSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { GatewayError } from '../../errors.js'
import { LineSink, type LineSinkOptions } from './line-sink.js'

/** Readable by owner and group only. */
const FILE_MODE = 0o640

type Opened = { readonly fd: number; readonly dev: number; readonly ino: number }

/** One event loop's own descriptor of the file. */
export class LogFile {
  readonly #path: string
  readonly #sink: LineSink
  #opened: Opened
  #isReopening = false

  /** @throws misconfigured when the file cannot be opened */
  constructor(path: string, options: LineSinkOptions = {}) {
    this.#path = path
    this.#opened = open(path)
    this.#sink = new LineSink(this.#opened.fd, options)
  }

  write(line: string): void {
    this.#sink.write(line)
  }

  flush(): Promise<void> {
    return this.#sink.flush()
  }

  /**
   * From now on writes to the file that the path leads to, creating it if necessary.
   * @throws misconfigured when it cannot be opened; then the old one stays in use
   */
  async reopen(): Promise<void> {
    if (this.#isReopening) return
    this.#isReopening = true
    try {
      const before = this.#opened
      this.#opened = open(this.#path)
      await this.#sink.moveTo(this.#opened.fd)
      close(before.fd, ignore)
    } finally {
      this.#isReopening = false
    }
  }

  /** The same, if the file was moved or removed. */
  async reopenIfMoved(): Promise<void> {
    const { dev, ino } = this.#opened
    const found = await stat(this.#path).catch(() => null)
    if (found === null || found.ino !== ino || found.dev !== dev) await this.reopen()
  }
}

function open(path: string): Opened {
  try {
    mkdirSync(dirname(path), { recursive: true })
    const fd = openSync(path, 'a', FILE_MODE)
    const { dev, ino } = fstatSync(fd)
    return { fd, dev, ino }
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
    throw new GatewayError('misconfigured', { message: `log.file ${path} cannot be opened for writing${code}.`, cause })
  }
}

function ignore(): void {}
