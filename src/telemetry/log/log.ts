// The log: one JSON line per exchange, and a few about the gateway itself. pino builds the lines, except those of exchanges
// (exchange-line.ts); redact.ts cleans every text that is not our own, and line-sink.ts writes them. The log never delays an exchange
// and never contains a secret.
import { type Logger, pino } from 'pino'
import { toGatewayError } from '../../errors.js'
import { type Outcome } from '../../model/event.js'
import { type ExchangeRecord, type Log } from '../records.js'
import { createExchangeLine } from './exchange-line.js'
import { LineSink } from './line-sink.js'
import { LogFile } from './log-file.js'
import { formatPretty } from './pretty.js'
import { createRedactor, type Redactor } from './redact.js'
import { RefusalLines } from './refusal-lines.js'

const STDOUT_FD = 1

export type LogConfig = {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent'
  readonly file: string | null
  readonly format: 'json' | 'pretty'
}

/** Where lines go: write gets whole lines with their line end. */
export type LogDestination = {
  write(line: string): void
  flush(): Promise<void>
  /** For a file: continues in the one that its path leads to now. @throws misconfigured, and the old one stays in use */
  reopen?(): Promise<void>
  /** The same, if the file was moved or removed. */
  reopenIfMoved?(): Promise<void>
}

/**
 * Opens the file, or standard output for null. One for the life of an event loop: the logs of later configurations write there, too.
 * @throws misconfigured when the file cannot be opened
 */
export function openLogDestination(file: string | null, onDropped: (lines: number) => void): LogDestination {
  return file === null ? new LineSink(STDOUT_FD, { onDropped }) : new LogFile(file, { onDropped })
}

/** Reopens a log file. An error is logged in the old one, which stays in use; never rejects. */
export async function reopenLog(
  destination: LogDestination,
  log: Pick<Log, 'warn'>,
  how: 'reopen' | 'reopenIfMoved',
): Promise<void> {
  await destination[how]?.().catch((thrown: unknown) => {
    log.warn({ reason: toGatewayError(thrown).message }, 'log file reopen failed')
  })
}

export type LogOptions = {
  /** Every secret of the configuration: provider keys, the metrics token. None of them ever appears in a line. */
  readonly secrets: readonly string[]
  /** SHA-256 in hex of the gateway keys, which are known only by it. */
  readonly keyDigests?: readonly string[]
  /** Names of the gateway keys, which are not secrets. */
  readonly keyNames?: readonly string[]
  /** There are others, whose names are not known here. */
  readonly hasFurtherKeys?: boolean
  /** Request ids `<seed>-<count>` are our own, and not searched for secrets. */
  readonly ownIdSeed?: string
  /** Instead of the file or stdout. */
  readonly destination?: LogDestination
}

/**
 * A log of one event loop; several may write to the same file or pipe.
 * @throws misconfigured when the file cannot be opened
 */
export function createLog(config: LogConfig, options: LogOptions): Log {
  if (config.level === 'silent') return SILENT
  const redactor = createRedactor(options.secrets, {
    ...{ digests: options.keyDigests ?? [], names: options.keyNames ?? [] },
    hasFurtherNames: options.hasFurtherKeys === true,
  })
  const onDropped = (lines: number): void => logger.warn({ lines }, 'log lines lost')
  const destination = options.destination ?? openLogDestination(config.file, onDropped)
  const write =
    config.format === 'pretty'
      ? (line: string): void => destination.write(formatPretty(line))
      : (line: string): void => destination.write(line)
  const timestamp = createTimestamp()
  const logger = pino(
    {
      level: config.level,
      base: null,
      timestamp,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  )
  const line = createExchangeLine({ redactor, ownIdSeed: options.ownIdSeed ?? null, timestamp })
  return new PinoLog(logger, redactor, {
    writeExchange: (level, record) => write(line(level, record)),
    flush: () => destination.flush(),
  })
}

/** The lines that pino does not write, to the same destination. */
type ExchangeLines = { writeExchange(level: string, record: ExchangeRecord): void; flush(): Promise<void> }

class PinoLog implements Log {
  readonly #logger: Logger
  readonly #redactor: Redactor
  readonly #lines: ExchangeLines
  readonly #refusals = new RefusalLines((refusals) => this.warn({ refusals }, 'refusals not logged'))

  constructor(logger: Logger, redactor: Redactor, lines: ExchangeLines) {
    this.#logger = logger
    this.#redactor = redactor
    this.#lines = lines
  }

  exchange(record: ExchangeRecord): void {
    const level = levelOf(record)
    if (!this.#logger.isLevelEnabled(level)) return
    // An internal fault always gets its line. Not a 503: it occurs in floods, when there is the least time for lines.
    if (level === 'error' || this.#refusals.admit(record)) this.#lines.writeExchange(level, record)
  }

  info(fields: object, message: string): void {
    if (this.#logger.isLevelEnabled('info')) this.#logger.info(this.#clean(fields), this.#redactor.text(message))
  }

  warn(fields: object, message: string): void {
    if (this.#logger.isLevelEnabled('warn')) this.#logger.warn(this.#clean(fields), this.#redactor.text(message))
  }

  error(fields: object, message: string): void {
    this.#logger.error(this.#clean(fields), this.#redactor.text(message))
  }

  flush(): Promise<void> {
    this.#refusals.flush()
    return this.#lines.flush()
  }

  #clean(fields: object): object {
    return fields instanceof Error ? { error: this.#redactor.cause(fields) } : this.#redactor.fields(fields)
  }
}

/** pino's `time` member: ISO 8601 with milliseconds. The text of a second is made once, not for each of its lines. */
function createTimestamp(): () => string {
  let second = -1
  let text = ''
  return () => {
    const nowMs = Date.now()
    const nowSec = Math.floor(nowMs / 1000)
    if (nowSec !== second) {
      second = nowSec
      text = new Date(nowSec * 1000).toISOString().slice(0, ISO_SECOND_LENGTH)
    }
    return `,"time":"${text}${String(nowMs % 1000).padStart(3, '0')}Z"`
  }
}

/** `2026-11-20T12:34:56.` */
const ISO_SECOND_LENGTH = 20

const SILENT: Log = Object.freeze({
  exchange() {},
  info() {},
  warn() {},
  error() {},
  flush: () => Promise.resolve(),
})

/** What the client caused is not a warning; internal faults are errors. */
const LEVEL_OF_OUTCOME: Readonly<Record<Outcome, 'info' | 'warn'>> = Object.freeze({
  complete: 'info',
  client_gone: 'info',
  rejected: 'info',
  limit: 'info',
  drained: 'warn',
  slow_reader: 'warn',
  stalled: 'warn',
  upstream_cut: 'warn',
  failed: 'warn',
})

/** Everything that a client sees as the server's fault is a warning. */
const FIRST_SERVER_STATUS = 500

function levelOf({ outcome, error, status }: ExchangeRecord): 'info' | 'warn' | 'error' {
  if (error?.code === 'internal' || error?.code === 'misconfigured') return 'error'
  return status >= FIRST_SERVER_STATUS ? 'warn' : LEVEL_OF_OUTCOME[outcome]
}
