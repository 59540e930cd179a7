// What tests of jobs ask of a running gateway: submit, poll until it has ended, list, take back.
import { request } from 'undici'
import { type Running } from './gateway.js'

export type JobStatus = {
  readonly request_id: string
  readonly status: string
  readonly outcome?: string
  readonly request: Record<string, unknown>
  readonly response?: { readonly choices: { readonly message: { readonly content: string } }[] }
  readonly error?: { readonly message: string; readonly type: string; readonly attempts: number }
  readonly webhook?: { readonly state: string; readonly attempts: number; readonly last_error: string | null }
  readonly timestamp: number
}

type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  readonly body: Record<string, unknown>
}

type Asked = { readonly method?: string; readonly body?: unknown; readonly headers?: Record<string, string> }

const JOBS = '/v1/chat/completions'
const POLL_MS = 30
const PATIENCE_MS = 60_000

/** A client with one gateway key. */
export class JobClient {
  readonly #gateway: Pick<Running, 'origin'>
  readonly #key: string | null

  constructor(gateway: Pick<Running, 'origin'>, key: string | null = null) {
    this.#gateway = gateway
    this.#key = key
  }

  async ask(path: string, { method = 'GET', body, headers = {} }: Asked = {}): Promise<Answer> {
    const credentials: Record<string, string> = this.#key === null ? {} : { 'x-api-key': this.#key }
    const answer = await request(this.#gateway.origin + path, {
      method: method as 'GET',
      headers: { 'content-type': 'application/json', ...credentials, ...headers },
      body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
    })
    const text = await answer.body.text()
    return { status: answer.statusCode, headers: answer.headers, text, body: text === '' ? {} : JSON.parse(text) }
  }

  post(body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.ask(JOBS, { method: 'POST', body, headers })
  }

  /** Submits with `Prefer: respond-async` and tells the job's id. */
  async submit(body: unknown, headers: Record<string, string> = {}): Promise<string> {
    const answer = await this.post(body, { prefer: 'respond-async', ...headers })
    if (answer.status !== 202) throw new Error(`${answer.status} ${answer.text}`)
    return String(answer.body.request_id)
  }

  async status(id: string): Promise<JobStatus> {
    return (await this.ask(`${JOBS}/${id}`)).body as unknown as JobStatus
  }

  cancel(id: string): Promise<Answer> {
    return this.ask(`${JOBS}/${id}`, { method: 'DELETE' })
  }

  list(query = ''): Promise<Answer> {
    return this.ask(`${JOBS}${query}`)
  }

  /** The status once it is one that is wanted. */
  async until(id: string, wanted: (status: JobStatus) => boolean = hasEnded): Promise<JobStatus> {
    const deadlineMs = performance.now() + PATIENCE_MS
    for (;;) {
      const status = await this.status(id)
      if (wanted(status)) return status
      if (performance.now() > deadlineMs) throw new Error(`never: ${JSON.stringify(status)}`)
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }
}

export function hasEnded({ status }: JobStatus): boolean {
  return status === 'completed' || status === 'error'
}
