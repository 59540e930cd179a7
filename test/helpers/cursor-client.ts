// A client that reads a stream of the chat API to its end over as many connections and nodes as it takes: it notes the number of each
// frame and comes back with the last one. What it got, and what it was told, is its story.
import { setTimeout } from 'node:timers/promises'
import { request } from 'undici'

export type Story = {
  readonly stream: string | null
  /** Of all frames, in the order in which they came, over all connections. */
  readonly numbers: readonly number[]
  /** The answer's text. */
  readonly text: string
  /** `complete`, the code of an error frame, or what went wrong: `clean end`, `no content`, `gone 404`, `never back`. */
  readonly end: string
  readonly connections: number
}

const PATIENCE_MS = 90_000
const RETRY_MS = 100
const ACCEPTED = 200
const NO_CONTENT = 204
const UNAVAILABLE = 503

type Mutable = { -readonly [Key in keyof Story]: Story[Key] } & { numbers: number[] }

export type CursorClientOptions = {
  /** Addresses at which to try, the first one first. */
  readonly nodes: readonly string[]
  readonly body: object
  readonly headers?: Readonly<Record<string, string>>
  /** Leaves after so many frames of a connection, and comes back elsewhere. */
  readonly leaveAfter?: number
}

/** Asks, reads, and returns wherever a node answers until the stream has ended. Never rejects. */
export async function readStream(options: CursorClientOptions): Promise<Story> {
  const story: Mutable = { stream: null, numbers: [], text: '', end: '', connections: 0 }
  const deadlineMs = performance.now() + PATIENCE_MS
  for (let at = 0; story.end === ''; at++) {
    const origin = options.nodes[at % options.nodes.length] ?? ''
    if (performance.now() > deadlineMs) story.end = 'never back'
    else if (!(await connect(origin, story, options))) await setTimeout(RETRY_MS)
  }
  return story
}

/** True if there was an answer with frames. */
async function connect(origin: string, story: Mutable, options: CursorClientOptions): Promise<boolean> {
  const { body, headers = {}, leaveAfter = Number.POSITIVE_INFINITY } = options
  try {
    const cursor = story.numbers.length === 0 ? {} : { 'last-event-id': String(story.numbers.at(-1)) }
    const answer =
      story.stream === null
        ? await request(`${origin}/v1/chat/completions`, {
            method: 'POST',
            headers: { 'content-type': 'application/json', 'x-sluice-resume': '1', ...headers },
            body: JSON.stringify(body),
          })
        : await request(`${origin}/v1/streams/${story.stream}`, { headers: { ...headers, ...cursor } })
    if (answer.statusCode !== ACCEPTED) {
      const text = await answer.body.text()
      if (answer.statusCode === NO_CONTENT) story.end = 'no content'
      else if (answer.statusCode !== UNAVAILABLE) story.end = `gone ${answer.statusCode} ${text}`
      return false
    }
    story.connections += 1
    story.stream ??= String(answer.headers['x-sluice-stream'] ?? '') || null
    await follow(answer.body, story, leaveAfter)
    return true
  } catch {
    // The connection was cut, or could not be made.
    return false
  }
}

async function follow(body: AsyncIterable<Buffer>, story: Mutable, leaveAfter: number): Promise<void> {
  let rest = ''
  let count = 0
  for await (const chunk of body) {
    rest += chunk.toString()
    for (let at = rest.indexOf('\n\n'); at >= 0; at = rest.indexOf('\n\n')) {
      take(rest.slice(0, at), story)
      rest = rest.slice(at + 2)
      count += 1
      if (story.end !== '') return
      if (count >= leaveAfter) return
    }
  }
  story.end = 'clean end'
}

function take(frame: string, story: Mutable): void {
  const number = /^id: (\d+)$/m.exec(frame)?.[1]
  const payload = /^data: (.*)$/m.exec(frame)?.[1]
  if (payload === undefined) return
  story.numbers.push(Number(number ?? Number.NaN))
  if (payload === '[DONE]') {
    story.end = 'complete'
    return
  }
  const { error, choices } = JSON.parse(payload) as {
    error?: { code?: string }
    choices?: { delta?: { content?: string } }[]
  }
  if (error !== undefined) story.end = error.code ?? 'error'
  else story.text += choices?.[0]?.delta?.content ?? ''
}

/** What of a story is not as promised: a frame missing or twice, or an end that is none. Empty if nothing is. */
export function breachesOf({ numbers, end, text }: Story, whole: string): string[] {
  const isError = end === 'upstream_cut'
  const content = isError ? numbers.slice(0, -1) : numbers
  const at = content.findIndex((number, index) => number !== index)
  return [
    ...(end === 'complete' || isError ? [] : [`ended with ${end}`]),
    ...(at < 0 ? [] : [`frame ${content[at]} where ${at} was due`]),
    ...(isError && !((numbers.at(-1) ?? -1) >= content.length) ? ['the error has a number that was used before'] : []),
    ...(end === 'complete' && text !== whole ? ['not the whole text'] : []),
    ...(whole.startsWith(text) ? [] : ['not the text']),
  ]
}
