// A multipart/form-data body as spans: the fields with their places, found by their delimiters without copying a byte. Strict, since the
// upstream must read what we have read: whatever two parsers might read differently is rejected.
//
//   body = 1*("--" boundary CRLF 1*(header CRLF) CRLF content CRLF) "--" boundary "--" [CRLF]          RFC 7578, RFC 2046 5.1
import { GatewayError } from '../../errors.js'
import { asBuffer } from '../json.js'

/** One field. Its content is `[start, end)`; all of it, from its delimiter to the next, is `[from, end + 2)`. */
export type FormPart = {
  readonly name: string
  readonly isFile: boolean
  readonly from: number
  readonly start: number
  readonly end: number
}

/** Of one form: the largest that the APIs know has some twenty. */
export const MAX_PARTS = 256
/** Of one part: a name, a file name and two media types. */
const MAX_HEADER_BYTES = 8192
/** Each parameter can be matched in one way only: where two are possible, a header of 100 bytes takes hours to reject. */
const MEDIA_TYPE = /^multipart\/form-data\s*((?:;[^;"]*(?:"[^"\\]*"[^;"]*)?)*)$/i
/** RFC 2046: at most 70 of these, not ending in a space. */
const BOUNDARY = /^[\w'()+,./:=? -]{0,69}[\w'()+,./:=?-]$/
const BOUNDARY_PARAMETER = /;\s*boundary\s*=\s*(?:"([^"]*)"|([^\s";]+))\s*(?=;|$)/gi
/** What needs no quotes. RFC 9110, 5.6.2. */
const TOKEN = /^[\w'+.-]+$/
/** What every API's field is called; a server might decode anything else to another name, such as `[model]` to `model`. */
const FIELD_NAME = /^\w[\w.[\]-]{0,127}$/
/** A field by which browsers name the character set of all others. */
const CHARSET_FIELD = /^_charset_$/i
/** Those that leave the bytes as they are. RFC 2045, 6.2. */
const NO_ENCODING = /^(?:7bit|8bit|binary)\s*$/i
const CHARSET = /charset[^;]*/gi
/** Character sets in which ASCII is what it seems. */
const PLAIN_CHARSET = /^charset\s*=\s*"?(?:utf-?8|us-ascii|ascii|iso-8859-1|windows-1252)"?\s*$/i
const HEADER = /^([!#$%&'*+.^`|~\w-]+):[ \t]*([^\0\r\n]*)$/
const DISPOSITION = /^form-data((?:;[ \t]*[\w*]+[ \t]*=[ \t]*(?:"(?:[^"\\]|\\.)*"|[^\s";]+)[ \t]*)+);?$/i
const PARAMETER = /;[ \t]*([\w*]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s";]+))/g
const CRLF = Buffer.from('\r\n')
const BLANK_LINE = Buffer.from('\r\n\r\n')
const CLOSE = Buffer.from('--')

/** The boundary of a content type; null if it is not that of a form, or if it has none that is valid. */
export function readBoundary(contentType: string): string | null {
  const parameters = MEDIA_TYPE.exec(contentType)?.[1]
  if (parameters === undefined) return null
  const found = [...parameters.matchAll(BOUNDARY_PARAMETER)]
  const boundary = found[0]?.[1] ?? found[0]?.[2] ?? ''
  return found.length === 1 && BOUNDARY.test(boundary) ? boundary : null
}

/** The content type of a form with this boundary. */
export function formType(boundary: string): string {
  return `multipart/form-data; boundary=${TOKEN.test(boundary) ? boundary : `"${boundary}"`}`
}

/**
 * The fields in their order; names may occur more than once.
 * @throws invalid_request
 */
export function scanForm(body: Uint8Array, boundary: string): FormPart[] {
  const bytes = asBuffer(body)
  const delimiter = Buffer.from(`--${boundary}`)
  const parts: FormPart[] = []
  if (!startsWith(bytes, delimiter, 0)) throw invalid('must begin with its boundary')
  let from = 0
  let at = delimiter.length
  while (!startsWith(bytes, CLOSE, at)) {
    if (!startsWith(bytes, CRLF, at))
      throw invalid('has a boundary that is followed by neither a line break nor its end')
    if (parts.length >= MAX_PARTS) throw invalid(`has more than ${MAX_PARTS} fields`)
    const next = bytes.indexOf(delimiter, at)
    if (next < 0) throw invalid('ends before its last boundary')
    const end = next - CRLF.length
    // Some servers find it after a bare line feed, too, or anywhere: they would see fields in what is a file here.
    if (!startsWith(bytes, CRLF, end)) throw invalid('has its boundary within a field')
    parts.push(readPart(bytes, { from, headers: at + CRLF.length, end }))
    from = next
    at = next + delimiter.length
  }
  const rest = bytes.subarray(at + CLOSE.length)
  if (rest.length > 0 && !rest.equals(CRLF)) throw invalid('goes on after its last boundary')
  if (parts.length === 0) throw invalid('has no fields')
  return parts
}

type PartPlace = { readonly from: number; readonly headers: number; readonly end: number }

function readPart(bytes: Buffer, { from, headers, end }: PartPlace): FormPart {
  // A part without headers would begin with its blank line.
  const blank = bytes.indexOf(BLANK_LINE, headers - CRLF.length)
  if (blank < headers || blank > end || blank - headers > MAX_HEADER_BYTES) throw invalid('has a field without a name')
  const start = blank + BLANK_LINE.length
  if (start > end) throw invalid('has a field without a content')
  const { name, isFile } = readHeaders(bytes.toString('latin1', headers, blank))
  return { name, isFile, from, start, end }
}

function readHeaders(text: string): Pick<FormPart, 'name' | 'isFile'> {
  let found: Pick<FormPart, 'name' | 'isFile'> | null = null
  for (const line of text.split('\r\n')) {
    const header = HEADER.exec(line)
    if (header === null) throw invalid('has a field with a header that cannot be read')
    const [, name = '', value = ''] = header
    checkHeader(name.toLowerCase(), value)
    if (name.toLowerCase() !== 'content-disposition') continue
    if (found !== null) throw invalid('has a field with two names')
    found = readDisposition(value)
  }
  if (found === null) throw invalid('has a field without a name')
  return found
}

/** @throws invalid_request for a header by which a content is not what it seems */
function checkHeader(name: string, value: string): void {
  if (name === 'content-encoding' || (name === 'content-transfer-encoding' && !NO_ENCODING.test(value))) {
    throw invalid('has a field with an encoding')
  }
  if (name !== 'content-type') return
  if (/^multipart\b/i.test(value)) throw invalid('has a form within a field')
  const charsets = value.match(CHARSET) ?? []
  if (!charsets.every((charset) => PLAIN_CHARSET.test(charset))) {
    throw invalid('has a field in a character set other than UTF-8')
  }
}

function readDisposition(value: string): Pick<FormPart, 'name' | 'isFile'> {
  const parameters = DISPOSITION.exec(value.trimEnd())?.[1]
  if (parameters === undefined) throw invalid('has a field with a header that cannot be read')
  let name: string | null = null
  let isFile = false
  for (const [, key = '', quoted, plain = ''] of parameters.matchAll(PARAMETER)) {
    const word = key.toLowerCase()
    if (word.startsWith('filename')) isFile = true
    else if (word !== 'name' || name !== null) throw invalid('has a field with two names')
    else name = quoted ?? plain
  }
  if (name === null || !FIELD_NAME.test(name) || CHARSET_FIELD.test(name)) {
    throw invalid('has a field whose name is not 1 to 128 letters, digits or any of _.[]-')
  }
  return { name, isFile }
}

function startsWith(bytes: Buffer, wanted: Buffer, at: number): boolean {
  return bytes.subarray(at, at + wanted.length).equals(wanted)
}

function invalid(problem: string): GatewayError {
  return new GatewayError('invalid_request', { message: `The form ${problem}.` })
}
