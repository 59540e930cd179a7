// The simulator's files and batches: kept in memory, for each key apart. A batch is done when it is looked at for the first time: each of its
// requests is answered with the text of its last message.
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { readFile } from './form.js'

/** One request, of which the body is complete. */
export type ResourceAsked = {
  readonly method: string
  /** Without its query. */
  readonly path: string
  readonly query: string
  /** Whose account is meant. */
  readonly key: string
  /** The boundary of a form; null for any other body. */
  readonly form: string | null
  readonly bytes: Buffer
  readonly createdSec: number
}

export type ResourceAnswer = { readonly status: number; readonly contentType: string; readonly body: Buffer }

type StoredFile = { readonly shown: JsonObject & { readonly id: string }; readonly content: Buffer }
type StoredBatch = JsonObject & { readonly id: string }
type Account = { readonly files: Map<string, StoredFile>; readonly batches: Map<string, StoredBatch> }

/** As the engine has them. */
export const RESOURCE_PATHS: readonly string[] = [
  ...['/v1/files', '/v1/files/:id', '/v1/files/:id/content'],
  ...['/v1/batches', '/v1/batches/:id', '/v1/batches/:id/cancel'],
]
const JSON_TYPE = 'application/json'
const BYTES_TYPE = 'application/octet-stream'
/** Of all files together; the oldest of a key make room. */
const MAX_STORED_BYTES = 64 * 1024 * 1024
const DEFAULT_PAGE = 100
const PATH = /^\/v1\/(files|batches)(?:\/([^/]+)(?:\/(content|cancel))?)?$/

/** Whether a path, without its query, is one of these. */
export function isResource(path: string): boolean {
  return PATH.test(path)
}

/** The files and batches of one simulator. */
export class SimResources {
  readonly #accounts = new Map<string, Account>()
  #count = 0

  /** Any request on one of the paths. */
  answer(asked: ResourceAsked): ResourceAnswer {
    const [, kind = '', id = '', verb = ''] = PATH.exec(asked.path) ?? []
    const account = this.#accountOf(asked.key)
    const way = `${asked.method} ${kind}${id === '' ? '' : '/id'}${verb === '' ? '' : `/${verb}`}`
    switch (way) {
      case 'POST files':
        return this.#upload(account, asked)
      case 'GET files':
        return list(
          [...account.files.values()].map(({ shown }) => shown),
          asked.query,
        )
      case 'GET files/id':
        return found(account.files.get(id)?.shown, id)
      case 'DELETE files/id':
        return account.files.delete(id) ? json({ id, object: 'file', deleted: true }) : missing(id)
      case 'GET files/id/content':
        return content(account.files.get(id), id)
      case 'POST batches':
        return this.#start(account, asked)
      case 'GET batches':
        return list([...account.batches.values()], asked.query)
      case 'GET batches/id':
        return found(this.#run(account, id, asked.createdSec), id)
      case 'POST batches/id/cancel':
        return found(cancel(account, id), id)
      default:
        return refuse(405, `Not supported: ${asked.method}`)
    }
  }

  #accountOf(key: string): Account {
    const known = this.#accounts.get(key) ?? { files: new Map(), batches: new Map() }
    this.#accounts.set(key, known)
    return known
  }

  #upload(account: Account, { form, bytes, createdSec }: ResourceAsked): ResourceAnswer {
    const file = form === null ? null : readFile(bytes, form)
    if (file === null) return refuse(400, "'file' is a required property")
    const { name, fields } = file
    if (typeof fields.purpose !== 'string') return refuse(400, "'purpose' is a required property")
    return json(this.#store(account, { content: file.content, name, purpose: fields.purpose, createdSec }))
  }

  #store(account: Account, { content, name, purpose, createdSec }: NewFile): JsonObject & { readonly id: string } {
    const shown = {
      ...{ id: this.#nextId('file-'), object: 'file', bytes: content.length, created_at: createdSec },
      ...{ filename: name, purpose, status: 'processed' },
    }
    account.files.set(shown.id, { shown, content })
    let total = 0
    for (const file of [...account.files.values()].reverse()) {
      total += file.content.length
      if (total > MAX_STORED_BYTES && file.shown.id !== shown.id) account.files.delete(file.shown.id)
    }
    return shown
  }

  #start(account: Account, { bytes, createdSec }: ResourceAsked): ResourceAnswer {
    const body = parse(bytes.toString())
    if (!isJsonObject(body)) return refuse(400, 'We could not parse the JSON body of your request.')
    const { input_file_id, endpoint, completion_window = '24h', metadata = null } = body
    if (typeof input_file_id !== 'string' || !account.files.has(input_file_id)) {
      return refuse(400, `No such File object: ${String(input_file_id)}`)
    }
    const batch = {
      ...{ id: this.#nextId('batch_'), object: 'batch', endpoint: endpoint ?? null, errors: null, input_file_id },
      ...{ completion_window, status: 'validating', output_file_id: null, error_file_id: null },
      ...{ created_at: createdSec, metadata },
    }
    account.batches.set(batch.id, batch)
    return json(batch)
  }

  #run(account: Account, id: string, createdSec: number): StoredBatch | undefined {
    const batch = account.batches.get(id)
    if (batch?.status !== 'validating') return batch
    const lines = (account.files.get(String(batch.input_file_id))?.content.toString() ?? '').split('\n')
    const results = lines.filter((line) => line.trim() !== '').map((line, at) => resultOf(parse(line), at))
    const content = Buffer.from(results.map((result) => `${JSON.stringify(result)}\n`).join(''))
    const file = this.#store(account, { content, name: `${id}_output.jsonl`, purpose: 'batch_output', createdSec })
    const counts = { total: results.length, completed: results.length, failed: 0 }
    const done = { ...batch, status: 'completed', output_file_id: file.id, request_counts: counts }
    account.batches.set(id, done)
    return done
  }

  #nextId(prefix: string): string {
    this.#count += 1
    return `${prefix}${this.#count.toString(16).padStart(24, '0')}`
  }
}

type NewFile = {
  readonly content: Buffer
  readonly name: string
  readonly purpose: string
  readonly createdSec: number
}

function resultOf(line: JsonValue | undefined, at: number): JsonObject {
  const asked = isJsonObject(line) ? line : {}
  const message = { role: 'assistant', content: lastText(asked.body) }
  const body = { object: 'chat.completion', choices: [{ index: 0, message, finish_reason: 'stop' }] }
  const response = { status_code: 200, request_id: `req_${at}`, body }
  return { id: `batch_req_${at}`, custom_id: asked.custom_id ?? null, response, error: null }
}

function lastText(body: JsonValue | undefined): string {
  const messages = isJsonObject(body) && isJsonArray(body.messages) ? body.messages : []
  const last = messages.at(-1)
  return isJsonObject(last) && typeof last.content === 'string' ? last.content : ''
}

/** One that is done stays as it is. */
function cancel({ batches }: Account, id: string): StoredBatch | undefined {
  const batch = batches.get(id)
  if (batch?.status !== 'validating') return batch
  const cancelled = { ...batch, status: 'cancelled' }
  batches.set(id, cancelled)
  return cancelled
}

/** The newest first, unless asked otherwise. */
function list(all: readonly (JsonObject & { readonly id: string })[], query: string): ResourceAnswer {
  const asked = new URLSearchParams(query)
  const purpose = asked.get('purpose')
  const wanted = purpose === null ? all : all.filter((each) => each.purpose === purpose)
  const ordered = asked.get('order') === 'asc' ? wanted : wanted.toReversed()
  const from = ordered.findIndex(({ id }) => id === asked.get('after')) + 1
  const limit = Number(asked.get('limit')) || DEFAULT_PAGE
  const data = ordered.slice(from, from + limit)
  const [first_id, last_id] = [data[0]?.id ?? null, data.at(-1)?.id ?? null]
  return json({ object: 'list', data, first_id, last_id, has_more: from + limit < ordered.length })
}

function content(file: StoredFile | undefined, id: string): ResourceAnswer {
  return file === undefined ? missing(id) : { status: 200, contentType: BYTES_TYPE, body: file.content }
}

function found(shown: JsonObject | undefined, id: string): ResourceAnswer {
  return shown === undefined ? missing(id) : json(shown)
}

function missing(id: string): ResourceAnswer {
  return refuse(404, `No such object: ${id}`)
}

function refuse(status: number, message: string): ResourceAnswer {
  return json({ error: { message, type: 'invalid_request_error', param: null, code: null } }, status)
}

function json(body: JsonObject, status = 200): ResourceAnswer {
  return { status, contentType: JSON_TYPE, body: Buffer.from(JSON.stringify(body)) }
}

function parse(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    return undefined
  }
}
