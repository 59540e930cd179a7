// A client on bare sockets, and a strict reader of what comes back: every byte of HTTP framing is checked, nothing is
// forgiven. `cut` is a connection that ended before its answer did.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export type RawAnswer = {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
  /** False: the connection ended in the middle of the body. */
  readonly isWhole: boolean
}

/** Sends bytes and gives back all that comes until the other side closes, or until `answers` answers are whole. */
export async function exchangeRaw(
  port: number,
  bytes: string | Buffer,
  answers = 1,
): Promise<{ answers: RawAnswer[]; isClosed: boolean }> {
  const socket = await openRaw(port)
  const received: Buffer[] = []
  let isClosed = false
  const done = new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      received.push(chunk)
      const parsed = parseAnswers(Buffer.concat(received))
      // What is whole may still be followed by a close: give it one turn.
      if (parsed.length >= answers && parsed.every((answer) => answer.isWhole)) setTimeout(resolve, 50)
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      isClosed = true
      resolve()
    })
  })
  socket.write(bytes)
  await done
  socket.destroy()
  return { answers: parseAnswers(Buffer.concat(received)), isClosed }
}

export async function openRaw(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

/** A POST with a JSON body. */
export function post(path: string, body: string, headers = ''): string {
  return `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`
}

/** Splits what a connection brought into answers. Throws on anything that is not HTTP to the letter. */
export function parseAnswers(bytes: Buffer): RawAnswer[] {
  const answers: RawAnswer[] = []
  let rest = bytes
  while (rest.length > 0) {
    const at = rest.indexOf('\r\n\r\n')
    if (at < 0) break
    const [line = '', ...lines] = rest.subarray(0, at).toString('latin1').split('\r\n')
    const status = Number(/^HTTP\/1\.1 (\d{3}) [^\r\n]*$/.exec(line)?.[1])
    if (Number.isNaN(status)) throw new Error(`not a status line: ${JSON.stringify(line)}`)
    const headers = new Map<string, string>()
    for (const header of lines) {
      const colon = header.indexOf(': ')
      if (colon < 1) throw new Error(`not a header: ${JSON.stringify(header)}`)
      const name = header.slice(0, colon).toLowerCase()
      if (headers.has(name)) throw new Error(`header twice: ${name}`)
      headers.set(name, header.slice(colon + 2))
    }
    const { body, isWhole, used } = readBody(rest.subarray(at + 4), status, headers)
    answers.push({ status, headers, body, isWhole })
    rest = rest.subarray(at + 4 + used)
  }
  return answers
}

type Read = { readonly body: Buffer; readonly isWhole: boolean; readonly used: number }

function readBody(bytes: Buffer, status: number, headers: ReadonlyMap<string, string>): Read {
  if (status === 204 || status === 101) return { body: Buffer.alloc(0), isWhole: true, used: 0 }
  if (headers.get('transfer-encoding') === 'chunked') return readChunked(bytes)
  const length = headers.get('content-length')
  // The parser's own errors bear no length: they end with the connection.
  if (length === undefined) return { body: bytes, isWhole: true, used: bytes.length }
  const body = bytes.subarray(0, Number(length))
  return { body, isWhole: body.length === Number(length), used: body.length }
}

/** RFC 9112, section 7.1, without extensions and trailers: the server sends none. */
export function readChunked(bytes: Buffer): Read {
  const parts: Buffer[] = []
  let at = 0
  for (;;) {
    const line = bytes.indexOf('\r\n', at)
    if (line < 0) {
      if (!/^[0-9a-fA-F]*\r?$/.test(bytes.subarray(at).toString('latin1')) || bytes.length - at > 9)
        throw new Error('broken chunk size')
      return { body: Buffer.concat(parts), isWhole: false, used: bytes.length }
    }
    const size = bytes.subarray(at, line).toString('latin1')
    if (!/^[0-9a-fA-F]{1,8}$/.test(size)) throw new Error(`broken chunk size: ${JSON.stringify(size.slice(0, 40))}`)
    const length = Number.parseInt(size, 16)
    const start = line + 2
    if (start + length + 2 > bytes.length) {
      parts.push(bytes.subarray(start, Math.min(bytes.length, start + length)))
      return { body: Buffer.concat(parts), isWhole: false, used: bytes.length }
    }
    if (bytes[start + length] !== 13 || bytes[start + length + 1] !== 10) throw new Error('no CRLF after a chunk')
    if (length === 0) return { body: Buffer.concat(parts), isWhole: true, used: start + 2 }
    parts.push(bytes.subarray(start, start + length))
    at = start + length + 2
  }
}

/** The first of several answers, of which there must be one. */
export function firstOf(answers: readonly RawAnswer[]): RawAnswer {
  const answer = answers[0]
  if (answer === undefined) throw new Error('no answer came')
  return answer
}

/** Of an error in a JSON body. */
export function codeOf(answer: RawAnswer): string {
  return JSON.parse(answer.body.toString()).error.code
}
