// Requests that are forms: what the gateway reads of their fields, and the edits of their bytes. Files are never looked into, and the
// field with the model may follow them.
import { isUtf8 } from 'node:buffer'
import { GatewayError } from '../../errors.js'
import { estimateTokens, TOKENS_PER_IMAGE } from '../../model/estimate.js'
import { type JsonObject } from '../../model/json.js'
import { type FormPart, readBoundary, scanForm } from '../../wire/body/multipart.js'
import { asBuffer } from '../../wire/json.js'
import { findSelector } from '../model-selectors.js'

/** Where the fields are that the gateway edits. Plain data. */
export type FormFacts = {
  readonly boundary: string
  readonly model: Span | null
  /** All of the field, with its delimiter. */
  readonly provider: Span | null
}
type Span = { readonly start: number; readonly end: number }

export type ReadForm = {
  /** The fields that are read, as a JSON request would have them. */
  readonly fields: JsonObject
  readonly form: FormFacts
  readonly estimatedTokens: number
  /** A field that may select another model; absent for none. */
  readonly selector?: string
}

const MODEL = 'model'
const PROVIDER = 'provider'
/** Read as members of a JSON request; longer values are not read. */
const READ_FIELDS: ReadonlySet<string> = new Set([MODEL, PROVIDER, 'stream', 'n'])
const MAX_VALUE_BYTES = 1024
/** A name that could end the field that it is written into. */
const CONTROL = /\p{Cc}/u

/** @throws invalid_request for no form, and for a field that is read and doubled, too long or a file */
export function readForm(body: Uint8Array, contentType: string, hasImages: boolean): ReadForm {
  const boundary = readBoundary(contentType)
  if (boundary === null) throw invalid('The form has no valid boundary.')
  const parts = scanForm(body, boundary)
  const bytes = asBuffer(body)
  const fields: JsonObject = {}
  const found = new Map<string, FormPart>()
  let textBytes = 0
  let files = 0
  let selector: string | null = null
  for (const part of parts) {
    const { name, isFile, start, end } = part
    if (isFile) files += 1
    else textBytes += end - start
    selector ??= findSelectorIn(name)
    const known = name.toLowerCase()
    if (!READ_FIELDS.has(known)) continue
    if (name !== known || isFile || found.has(name) || end - start > MAX_VALUE_BYTES) {
      throw invalid(`'${name}' must be one field of at most ${MAX_VALUE_BYTES} bytes.`, known)
    }
    found.set(name, part)
    fields[name] = readValue(name, bytes.subarray(start, end))
  }
  const model = found.get(MODEL) ?? null
  const provider = found.get(PROVIDER) ?? null
  return {
    fields,
    form: {
      boundary,
      model: model === null ? null : { start: model.start, end: model.end },
      provider: provider === null ? null : { start: provider.from, end: provider.end + 2 },
    },
    estimatedTokens: estimateTokens(textBytes) + (hasImages ? files * TOKENS_PER_IMAGE : 0),
    ...(selector === null ? {} : { selector }),
  }
}

/** Some servers take `models[]` for a list, and `request[model]` or `request.model` for a member. */
function findSelectorIn(name: string): string | null {
  for (const word of name.split(/[.[\]]+/)) {
    const selector = findSelector({ [word]: true })
    if (selector !== null) return selector
    if (word === MODEL && word !== name) return name
  }
  return null
}

function readValue(name: string, bytes: Buffer): string | boolean {
  const text = bytes.toString('utf8')
  if (!isUtf8(bytes) || CONTROL.test(text)) {
    throw invalid(`'${name}' must be UTF-8 without control characters.`, name)
  }
  return name === 'stream' ? text === 'true' : text
}

/** The form with this model and without the gateway's own field, as pieces of the body and texts between them. */
export function editForm(body: Uint8Array, { boundary, model, provider }: FormFacts, name: string): Uint8Array[] {
  const edits: { start: number; end: number; text: string }[] = []
  if (model !== null) edits.push({ ...model, text: name })
  else
    edits.push({
      start: 0,
      end: 0,
      text: `--${boundary}\r\nContent-Disposition: form-data; name="model"\r\n\r\n${name}\r\n`,
    })
  if (provider !== null) edits.push({ ...provider, text: '' })
  edits.sort((a, b) => a.start - b.start)
  const pieces: Uint8Array[] = []
  let from = 0
  for (const { start, end, text } of edits) {
    pieces.push(body.subarray(from, start), Buffer.from(text))
    from = end
  }
  pieces.push(body.subarray(from))
  return pieces.filter(({ length }) => length > 0)
}

function invalid(message: string, param: string | null = null): GatewayError {
  return new GatewayError('invalid_request', { message, param })
}
