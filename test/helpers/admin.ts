// What tests of the admin API share: entries of lists, an event loop that is asked by hand, and a context for its routes.
import { createHash } from 'node:crypto'
import { type AuditEvent, MemoryAudit } from '../../src/admin/audit.js'
import { type AdminContext } from '../../src/admin/context.js'
import { type AdminListenerOptions, createAdminListener } from '../../src/admin/listener.js'
import { AllLoops } from '../../src/admin/loops/all-loops.js'
import { type AdminLoop, type LoopCalls, type StreamEntry, streamId } from '../../src/admin/loops/loop-calls.js'
import { Pauses } from '../../src/admin/pauses.js'
import { createAdminRoutes } from '../../src/admin/routes/all-routes.js'
import { GatewayError } from '../../src/errors.js'

export const SEED = 'seed'

/** An entry of the list of open streams. */
export function streamEntry(changes: Partial<StreamEntry> = {}): StreamEntry {
  const { loop = 0 } = changes
  return {
    ...{ id: streamId(loop, SEED, 1), loop, requestId: 'req-1', surface: 'chat', key: 'team-a', model: 'fast' },
    ...{ target: 'north/m', transport: 'sse', state: 'streaming', position: null, attempts: 1, ageMs: 10 },
    ...{ timeToFirstTokenMs: 5, outputTokens: 7, tokensPerSec: 1.5, stream: null },
    ...changes,
  }
}

/** An event loop with prepared answers; a call without one is not answered. */
export class FakeLoop implements AdminLoop {
  readonly calls: { readonly name: string; readonly args: readonly unknown[] }[] = []
  readonly #answers: Partial<LoopCalls>

  constructor(answers: Partial<LoopCalls> = {}) {
    this.#answers = answers
  }

  async call<Name extends keyof LoopCalls>(
    name: Name,
    args: Parameters<LoopCalls[Name]>,
  ): Promise<ReturnType<LoopCalls[Name]>> {
    this.calls.push({ name, args })
    const answer = this.#answers[name] as ((...given: unknown[]) => ReturnType<LoopCalls[Name]>) | undefined
    if (answer === undefined) throw new GatewayError('overloaded')
    return answer(...args)
  }

  async watch(): Promise<null> {
    return null
  }
}

/** A context of the routes over these event loops, loop 0 first. */
export function adminContext(loops: readonly AdminLoop[], changes: Partial<AdminContext> = {}) {
  const [own = new FakeLoop(), ...others] = loops
  const events: AuditEvent[] = []
  const audit = new MemoryAudit(
    () => ({ info: (fields) => void events.push(fields as AuditEvent) }),
    () => 0,
  )
  const allLoops = new AllLoops({
    ...{ own, threads: 1 + others.length, seed: SEED },
    connect: async (index) => others[index - 1] ?? null,
  })
  const context: AdminContext = {
    node: 'node-a',
    loops: allLoops,
    audit,
    config: () => {
      throw new Error('not here')
    },
    providers: () => [],
    paused: new Pauses({ store: () => null, isShared: false, apply: (providers) => allLoops.pause(providers) }),
    version: () => '1.2.3',
    trials: {
      models: async () => [],
      prepare: async () => {
        throw new GatewayError('not_found')
      },
    },
    accounts: () => null,
    fileKeys: () => [],
    ...changes,
  }
  return { context, events }
}

/** Who asks: both keys that `startAdmin` knows. */
export const WRITE_KEY = 'write-key-0123456789'
export const READ_KEY = 'read-key-0123456789'

type Asked = { readonly key?: string; readonly body?: object; readonly ifMatch?: string }

/** A listener with all routes over a context, and a client for it. */
export async function startAdmin(
  t: { teardown(stop: () => void): void },
  context: AdminContext,
  readBrowserFile: AdminListenerOptions['readBrowserFile'] = (name) => Buffer.from(name),
) {
  const keyOf = (name: string, key: string, role: 'read' | 'write') => {
    return { name, keySha256: createHash('sha256').update(key).digest('hex'), role }
  }
  const keys = [keyOf('oncall', WRITE_KEY, 'write'), keyOf('board', READ_KEY, 'read')]
  const listener = createAdminListener({
    config: { host: '127.0.0.1', port: 0, allowedHosts: [], tls: null, keys, maxKeptBytes: 0, trustedProxies: [] },
    routes: createAdminRoutes(context),
    readBrowserFile,
    log: () => ({ info() {}, warn() {}, error() {} }),
    requestIdSeed: 'seed',
    failedKeysPerMinute: null,
  })
  t.teardown(() => listener.close())
  const url = `http://127.0.0.1:${await listener.listen()}`
  const ask = async (method: string, path: string, { key = WRITE_KEY, body, ifMatch }: Asked = {}) => {
    const answer = await fetch(`${url}/admin/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    const { status, headers } = answer
    return { status, etag: headers.get('etag') ?? '', json: text === '' ? null : JSON.parse(text) }
  }
  return { url, ask }
}
