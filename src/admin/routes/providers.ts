// Providers: how they do, and pauses. A paused provider is not tried by any event loop; what runs there goes on.
import { Type } from 'typebox'
import { GatewayError } from '../../errors.js'
import { type ProviderWindow, WINDOW_MS } from '../../telemetry/recent/provider-attempts.js'
import { type AdminContext, type ProviderFacts } from '../context.js'
import { type AdminRoute, adminRoute } from '../http/admin-route.js'
import { nullable, refused, Silent } from '../http/answers.js'

const Provider = Type.Object({
  name: Type.String(),
  protocol: Type.String(),
  baseUrl: Type.String(),
  breaker: Type.Enum(['closed', 'half-open', 'open'], { description: 'The worst of its targets on any event loop' }),
  paused: Type.Boolean(),
  windowMs: Type.Integer({ description: 'How far the members below look back' }),
  attempts: Type.Integer(),
  failed: Type.Integer({ description: 'Attempts that failed by the fault of the provider, refusals included' }),
  errorShare: nullable(Type.Number({ description: '0 to 1; null without attempts' })),
  rateLimited: Type.Integer({ description: 'Attempts that were answered with 429' }),
  firstTokenMs: Type.Object({ p50: nullable(Type.Number()), p95: nullable(Type.Number()) }),
})

const P50 = 0.5
const P95 = 0.95

/** The routes of providers. */
export function providerRoutes(context: AdminContext): AdminRoute[] {
  const { paused } = context
  const pausing = (action: 'pause' | 'resume'): AdminRoute =>
    adminRoute({
      method: 'POST',
      path: `/admin/v1/providers/:name/${action}`,
      role: 'write',
      tag: 'Providers',
      summary: action === 'pause' ? 'Send no more requests to a provider' : 'Send requests to a paused provider again',
      description:
        action === 'pause'
          ? 'Requests that run there go on. It holds on all event loops when the answer comes, until it is resumed. With an account database it outlasts the process, and holds on all nodes within two seconds.'
          : 'It holds on all event loops when the answer comes.',
      body: Type.Object({}, { additionalProperties: false }),
      answers: {
        200: { description: 'The provider as it is now', schema: Provider },
        404: refused('There is no such provider.'),
        503: refused('An event loop did not answer; send the request again.'),
      },
      async act({ name, operator }) {
        findProvider(context, name)
        const wasPaused = paused.has(name)
        const [before, after] = [{ paused: wasPaused }, { paused: action === 'pause' }]
        // First, since it holds on some event loops even where another one does not answer.
        if (wasPaused !== after.paused) {
          context.audit.note({ by: operator.name, action: `provider.${action}`, target: name, before, after })
        }
        await paused.set(name, after.paused, operator.name)
        const { windows } = await windowsOf(context)
        return { status: 200, body: shown(context, findProvider(context, name), windows) }
      },
    })
  return [
    adminRoute({
      method: 'GET',
      path: '/admin/v1/providers',
      role: 'read',
      tag: 'Providers',
      summary: 'List the configured providers, with their breakers and their last attempts',
      answers: {
        200: { description: 'Providers', schema: Type.Object({ data: Type.Array(Provider), silent: Silent }) },
      },
      async act() {
        const { windows, silent } = await windowsOf(context)
        const data = context.providers().map((provider) => shown(context, provider, windows))
        return { status: 200, body: { data, silent } }
      },
    }),
    pausing('pause'),
    pausing('resume'),
  ]
}

/** @throws not_found */
function findProvider({ providers }: AdminContext, name: string): ProviderFacts {
  const found = providers().find((provider) => provider.name === name)
  if (found === undefined) throw new GatewayError('not_found', { message: 'No such provider.' })
  return found
}

/** Those of all event loops, by provider. */
async function windowsOf({ loops }: AdminContext) {
  const { answers, silent } = await loops.ask('providers', [])
  const windows = new Map<string, ProviderWindow>()
  for (const window of answers.flat()) {
    const known = windows.get(window.provider)
    windows.set(window.provider, known === undefined ? window : joined(known, window))
  }
  return { windows, silent }
}

function joined(a: ProviderWindow, b: ProviderWindow): ProviderWindow {
  return {
    provider: a.provider,
    attempts: a.attempts + b.attempts,
    failed: a.failed + b.failed,
    rateLimited: a.rateLimited + b.rateLimited,
    firstTokenMs: [...a.firstTokenMs, ...b.firstTokenMs],
  }
}

function shown({ paused }: AdminContext, provider: ProviderFacts, windows: ReadonlyMap<string, ProviderWindow>) {
  const { attempts = 0, failed = 0, rateLimited = 0, firstTokenMs = [] } = windows.get(provider.name) ?? {}
  const sorted = [...firstTokenMs].sort((a, b) => a - b)
  return {
    ...provider,
    paused: paused.has(provider.name),
    windowMs: WINDOW_MS,
    attempts,
    failed,
    errorShare: attempts === 0 ? null : failed / attempts,
    rateLimited,
    firstTokenMs: { p50: percentile(sorted, P50), p95: percentile(sorted, P95) },
  }
}

/** The nearest rank. */
function percentile(sorted: readonly number[], share: number): number | null {
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]
  return value === undefined ? null : Math.round(value)
}
