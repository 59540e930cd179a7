// The destination of log lines: a file or a pipe, written in the background in whole lines. Not pino's own destination, which at
// exit retries a broken pipe for ever (sonic-boom 4.2, flushSync; tried) and waits without bound for a stalled reader. The log must
// never stop the gateway: lines that cannot be written are dropped and counted.
import { fstatSync, write, writeSync } from 'node:fs'

/** POSIX PIPE_BUF on Linux: a write to a pipe up to this size is never mixed with another event loop's. */
const PIPE_CHUNK_BYTES = 4096
/** Appends to a file are never mixed, so they may be larger. */
const FILE_CHUNK_BYTES = 65_536
/** How long a line may be buffered before it is written. */
const FLUSH_MS = 100
/** A pipe whose reader is behind is tried again after this. */
const RETRY_MS = 20
/** At exit a full pipe gets this long to empty. */
const EXIT_PATIENCE_MS = 500
/** Beyond this the reader counts as stalled. */
const MAX_BUFFERED_CHARS = 8 * 1024 * 1024

export type LineSinkOptions = {
  /** Called after lines were lost and writing works again. */
  readonly onDropped?: (lines: number) => void
}

/** Writes to a descriptor that stays the caller's: it is never closed here. */
export class LineSink {
  #fd: number
  readonly #isFile: boolean
  readonly #chunkBytes: number
  readonly #onDropped: (lines: number) => void
  readonly #flushAtExit = (): void => this.flushSync()
  #chunks: string[] = []
  #open = ''
  #openBytes = 0
  #bufferedChars = 0
  /** Chunks so far, and how many of them are written or lost. */
  #sealed = 0
  #written = 0
  #isWriting = false
  #dropped = 0
  #isBroken = false
  /** The data that a full pipe did not take, and the timer of the retry. */
  #unwritten: Buffer | null = null
  #retryTimer: NodeJS.Timeout | null = null
  #timer: NodeJS.Timeout | null = null
  #waiting: { readonly until: number; readonly resolve: () => void }[] = []

  /** The descriptor stays the caller's to close. Lines still buffered are written when the process or the thread exits. */
  constructor(fd: number, options: LineSinkOptions = {}) {
    this.#fd = fd
    this.#isFile = isRegularFile(fd)
    this.#chunkBytes = this.#isFile ? FILE_CHUNK_BYTES : PIPE_CHUNK_BYTES
    this.#onDropped = options.onDropped ?? (() => {})
    process.on('exit', this.#flushAtExit)
  }

  /** Takes one line with its line end. */
  write(line: string): void {
    if (this.#isBroken) return
    if (this.#bufferedChars + line.length > MAX_BUFFERED_CHARS) {
      this.#dropped += 1
      return
    }
    // Only a pipe's limit is exact; counting the bytes would copy the line.
    const bytes = this.#isFile ? line.length : Buffer.byteLength(line)
    if (this.#openBytes + bytes > this.#chunkBytes) this.#seal()
    this.#open += line
    this.#openBytes += bytes
    this.#bufferedChars += line.length
    this.#flushSoon()
    this.#writeNext()
  }

  /** Resolves when everything so far is written or lost. */
  flush(): Promise<void> {
    this.#seal()
    if (this.#written >= this.#sealed) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiting.push({ until: this.#sealed, resolve })
      this.#retryTimer?.ref()
      this.#writeNext()
    })
  }

  /** For regular files: pending lines go to `fd`. Resolves when the previous descriptor is no longer used. */
  moveTo(fd: number): Promise<void> {
    this.#fd = fd
    if (!this.#isWriting) return Promise.resolve()
    // Before all others: the write in progress completes next.
    return new Promise((resolve) => this.#waiting.unshift({ until: this.#written + 1, resolve }))
  }

  /** Writes the rest synchronously; gives up at the first permanent error. */
  flushSync(): void {
    this.#seal()
    const deadlineMs = performance.now() + EXIT_PATIENCE_MS
    if (this.#unwritten !== null) {
      this.#writeNow(this.#unwritten, deadlineMs)
      this.#unwritten = null
    }
    for (let chunk = this.#chunks.shift(); chunk !== undefined; chunk = this.#chunks.shift()) {
      this.#bufferedChars -= chunk.length
      this.#writeNow(Buffer.from(chunk), deadlineMs)
    }
  }

  /** Flushes and lets go of the process. */
  async close(): Promise<void> {
    await this.flush()
    process.off('exit', this.#flushAtExit)
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  #seal(): void {
    if (this.#open === '') return
    this.#chunks.push(this.#open)
    this.#sealed += 1
    this.#open = ''
    this.#openBytes = 0
  }

  #flushSoon(): void {
    if (this.#timer !== null) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#seal()
      this.#writeNext()
    }, FLUSH_MS)
    this.#timer.unref()
  }

  #writeNext(): void {
    if (this.#isWriting) return
    const chunk = this.#chunks.shift()
    if (chunk === undefined) return
    this.#isWriting = true
    this.#bufferedChars -= chunk.length
    this.#writeRest(Buffer.from(chunk), this.#fd)
  }

  /** A chunk that was begun is completed on the same descriptor. */
  #writeRest(bytes: Buffer, fd: number): void {
    write(fd, bytes, (error, written) => {
      if (error !== null) this.#fail(error, bytes)
      else if (written < bytes.length) this.#writeRest(bytes.subarray(written), fd)
      else this.#succeed()
    })
  }

  #succeed(): void {
    if (this.#dropped > 0) {
      const lines = this.#dropped
      this.#dropped = 0
      this.#onDropped(lines)
    }
    this.#finishChunk()
  }

  #fail(error: NodeJS.ErrnoException, bytes: Buffer): void {
    if (error.code === 'EAGAIN') {
      this.#unwritten = bytes
      this.#retryTimer = setTimeout(() => this.#retry(), RETRY_MS)
      // Only a pending flush keeps the process alive for a reader that may never return.
      if (this.#waiting.length === 0) this.#retryTimer.unref()
      return
    }
    if (error.code === 'EPIPE' || error.code === 'EBADF') this.#break()
    else this.#dropped += countLines(bytes)
    this.#finishChunk()
  }

  #retry(): void {
    const bytes = this.#unwritten
    this.#unwritten = null
    if (bytes !== null) {
      this.#writeRest(bytes, this.#fd)
      return
    }
    // flushSync has written it meanwhile.
    this.#isWriting = false
    this.#writeNext()
  }

  #writeNow(bytes: Buffer, deadlineMs: number): void {
    if (!this.#isBroken && !writeAll(this.#fd, bytes, deadlineMs)) this.#break()
    this.#countWritten()
  }

  #finishChunk(): void {
    this.#isWriting = false
    this.#countWritten()
    this.#writeNext()
  }

  #countWritten(): void {
    this.#written = this.#isBroken ? this.#sealed : this.#written + 1
    while (this.#waiting[0] !== undefined && this.#waiting[0].until <= this.#written) this.#waiting.shift()?.resolve()
  }

  /** The reader has closed the pipe: all further lines are dropped. */
  #break(): void {
    this.#isBroken = true
    this.#chunks = []
    this.#open = ''
    this.#bufferedChars = 0
  }
}

function isRegularFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile()
  } catch {
    return false
  }
}

/** Synchronous; waits for a full pipe until the deadline. False: not all was written. */
function writeAll(fd: number, bytes: Buffer, deadlineMs: number): boolean {
  let rest = bytes
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest))
    } catch (error) {
      const isFull = error instanceof Error && 'code' in error && error.code === 'EAGAIN'
      if (!isFull || performance.now() > deadlineMs) return false
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS)
    }
  }
  return true
}

function countLines(bytes: Buffer): number {
  let lines = 0
  for (const byte of bytes) if (byte === 0x0a) lines += 1
  return lines
}
