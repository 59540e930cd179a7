// The admin API as the console asks it: with the session of this browser, and in no other way than a script could. It touches no page.

/** Who is logged in. */
export type Who = { readonly name: string; readonly role: 'read' | 'write' }

/** What the API answered in place of what was asked for. */
export class ApiError extends Error {
  readonly status: number
  readonly code: string

  /** `status`: 0 if there was no answer. */
  constructor(status: number, code: string, message: string) {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.code = code
  }
}

/** Where the token of the session is between two pages: storage that only this origin reads. */
export type TokenShelf = {
  getItem(name: string): string | null
  setItem(name: string, value: string): void
  removeItem(name: string): void
}

type Asked = {
  readonly body?: object
  readonly ifMatch?: string
  readonly signal?: AbortSignal
}

const SHELF_KEY = 'sluice-session'
const BASE = '/admin/v1'
const UNAUTHENTICATED = 401

export class AdminApi {
  readonly #shelf: TokenShelf
  readonly #fetch: typeof fetch
  /** The session has ended. */
  onLoggedOut: () => void = () => {}

  constructor(shelf: TokenShelf, send: typeof fetch) {
    this.#shelf = shelf
    this.#fetch = send
  }

  /** @throws ApiError */
  async logIn(key: string): Promise<Who> {
    const answer = await this.#send('POST', '/session', { body: { key } })
    const { token, ...who } = (await answer.json()) as Who & { readonly token: string }
    this.#shelf.setItem(SHELF_KEY, token)
    return who
  }

  async logOut(): Promise<void> {
    await this.#send('DELETE', '/session').catch(() => undefined)
    this.#shelf.removeItem(SHELF_KEY)
    this.onLoggedOut()
  }

  /** Who is logged in; null if nobody is. @throws ApiError if the gateway does not answer */
  async who(): Promise<Who | null> {
    if (this.#shelf.getItem(SHELF_KEY) === null) return null
    try {
      return await this.get<Who>('/session')
    } catch (thrown) {
      if (thrown instanceof ApiError && thrown.status === UNAUTHENTICATED) return null
      throw thrown
    }
  }

  /** @throws ApiError */
  async get<Answer>(path: string, signal?: AbortSignal): Promise<Answer> {
    const answer = await this.open('GET', path, signal === undefined ? {} : { signal })
    return (await answer.json()) as Answer
  }

  /** A change; `null` for an answer without a body. @throws ApiError */
  async change<Answer = null>(method: 'POST' | 'PATCH' | 'DELETE', path: string, asked: Asked = {}): Promise<Answer> {
    const text = await (await this.open(method, path, asked)).text()
    return (text === '' ? null : JSON.parse(text)) as Answer
  }

  /** The answer itself, once it is known to be no error. @throws ApiError */
  async open(method: string, path: string, asked: Asked = {}): Promise<Response> {
    try {
      return await this.#send(method, path, asked)
    } catch (thrown) {
      if (thrown instanceof ApiError && thrown.status === UNAUTHENTICATED) {
        this.#shelf.removeItem(SHELF_KEY)
        this.onLoggedOut()
      }
      throw thrown
    }
  }

  /** The answer as it is, an error included: of another API than this one. Rejects if there is none. */
  pass(method: string, path: string, asked: Asked): Promise<Response> {
    return this.#ask(method, path, asked)
  }

  async #send(method: string, path: string, asked: Asked = {}): Promise<Response> {
    let answer: Response
    try {
      answer = await this.#ask(method, path, asked)
    } catch (thrown) {
      if (asked.signal?.aborted === true) throw thrown
      throw new ApiError(0, 'unreachable', 'The gateway does not answer.')
    }
    if (answer.ok) return answer
    throw await errorOf(answer)
  }

  #ask(method: string, path: string, { body, ifMatch, signal }: Asked): Promise<Response> {
    const headers: Record<string, string> = { 'x-csrf-token': this.#shelf.getItem(SHELF_KEY) ?? '' }
    if (body !== undefined) headers['content-type'] = 'application/json'
    if (ifMatch !== undefined) headers['if-match'] = ifMatch
    const text = body === undefined ? null : JSON.stringify(body)
    return this.#fetch(BASE + path, { method, headers, body: text, signal: signal ?? null })
  }
}

/** A path with its query; members that are empty are left out. */
export function withQuery(path: string, query: Readonly<Record<string, string | number | null | undefined>>): string {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '')
  const text = new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)])).toString()
  return text === '' ? path : `${path}?${text}`
}

async function errorOf(answer: Response): Promise<ApiError> {
  const body = (await answer.json().catch(() => null)) as { readonly error?: Partial<ApiError> } | null
  const { code = 'unknown', message = `The answer was ${answer.status}.` } = body?.error ?? {}
  return new ApiError(answer.status, code, message)
}
