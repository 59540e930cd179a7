// Server-sent events of a response, or its lines, as they come, wherever its bytes are cut (HTML standard, 9.2.6). It touches no page.

export type ServerEvent = { readonly event: string; readonly data: string }

/** The events of a response until it ends. Comments are left out. */
export async function* readEvents(response: Response): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of piecesOf(response)) {
    const blocks = `${rest}${decoder.decode(bytes, { stream: true })}`.split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const event = parseBlock(block)
      if (event !== null) yield event
    }
  }
}

/** The lines of a response until it ends; empty ones are left out, and a last one that is not ended is a line. */
export async function* readLines(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of piecesOf(response)) {
    const lines = `${rest}${decoder.decode(bytes, { stream: true })}`.split('\n')
    rest = lines.pop() ?? ''
    yield* lines.filter(isSaid)
  }
  if (isSaid(rest)) yield rest
}

function isSaid(line: string): boolean {
  return line.trim() !== ''
}

function parseBlock(block: string): ServerEvent | null {
  let event = 'message'
  const data: string[] = []
  for (const line of block.split('\n')) {
    if (line.startsWith('event:')) event = line.slice('event:'.length).trim()
    else if (line.startsWith('data:')) data.push(line.slice('data:'.length).replace(/^ /, ''))
  }
  return data.length === 0 ? null : { event, data: data.join('\n') }
}

/** Not every browser iterates over a body by itself. */
async function* piecesOf({ body }: Response): AsyncGenerator<Uint8Array> {
  const reader = body?.getReader()
  if (reader === undefined) return
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    // A loop that is left early takes no more of it.
    reader.cancel().catch(() => undefined)
  }
}
