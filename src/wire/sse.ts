// Server-sent events as bytes: WHATWG HTML, section 9.2 "Server-sent events". Knows no LLM.

/** One frame with a single data line. `data` must hold no line break, which JSON text never does. */
export function encodeSseFrame(data: string, event: string | null = null): string {
  return event === null ? `data: ${data}\n\n` : `event: ${event}\ndata: ${data}\n\n`
}
