// The messages for people at start and stop: the URL, what is served, a curl command that streams when pasted, and why the
// process is still running after Ctrl-C. Returns text and prints nothing.
import { hasTryPage, needsKeys } from './resolve/gateway-keys.js'
import { type Config } from './types.js'

export type StartFacts = {
  readonly port: number
  readonly version: string
  readonly build: string
  /** Null where it is off. */
  readonly adminUrl: string | null
  /** Somebody reads it, and no program. */
  readonly isTerminal: boolean
}

/** More names than this do not fit on a readable line. */
const MAX_SHOWN_MODELS = 8
const SIMULATOR_WORDS = {
  'stand-in': 'the built-in simulator, as no provider is configured',
  asked: 'with the built-in simulator among them, as configured',
}

/** One line, at a terminal three. Never contains a key: if keys are set, the curl command has a placeholder. */
export function renderStartLine(config: Config, facts: StartFacts): string {
  const { server } = config
  const origin = originOf(config, facts.port)
  const threads = `${server.threads} event loop${server.threads === 1 ? '' : 's'}`
  const simulator = config.simulator === null ? '' : ` (${SIMULATOR_WORDS[config.simulator]})`
  const page = hasTryPage(config) ? `In a browser: ${origin}/try. ` : ''
  const parts = [
    `Sluice ${facts.version} on ${origin} (${facts.build}, ${threads}) serves ${shownModels(config)}${simulator}.`,
    `${page}${consoleWords(facts)}`,
    `Try: ${curl(config, origin, needsKeys(config))}`,
  ]
  return parts.join(facts.isTerminal ? '\n  ' : ' ')
}

function consoleWords({ adminUrl }: StartFacts): string {
  return adminUrl === null ? 'Set ADMIN_KEY for the console.' : `Console: ${adminUrl}/console.`
}

/** The URL of the listener, without a path. */
export function originOf({ server }: Config, port: number): string {
  const scheme = server.tls === null ? 'http' : 'https'
  const host = server.host.includes(':') ? `[${server.host}]` : server.host
  return `${scheme}://${host}:${port}`
}

/**
 * Where the start message goes. If standard output carries the log as JSON, only JSON is written to it, for the programs that
 * read it, unless it is a terminal.
 */
export function startLineStream({ log }: Config, isTerminal: boolean): 'stdout' | 'stderr' {
  const carriesJson = log.file === null && log.format === 'json' && log.level !== 'silent'
  return carriesJson && !isTerminal ? 'stderr' : 'stdout'
}

/** The message for a drain that takes longer than a user expects of Ctrl-C. */
export function renderDrainLine({
  drainMs,
  sharedMs,
}: {
  readonly drainMs: number
  readonly sharedMs: number
}): string {
  const shared = `, those that other nodes serve for up to ${seconds(sharedMs)} (streams.drainMs)`
  const limits = `${seconds(drainMs)} (server.drainMs)${sharedMs > drainMs ? shared : ''}`
  return `Draining: open streams may go on for up to ${limits}. A second signal ends all at once.`
}

function seconds(ms: number): string {
  return `${Math.ceil(ms / 1000)} s`
}

function curl(config: Config, origin: string, hasKeys: boolean): string {
  const auth = hasKeys ? ' -H "authorization: Bearer $SLUICE_KEY"' : ''
  const body = JSON.stringify({
    model: modelNames(config)[0] ?? `${config.providers[0]?.name ?? 'PROVIDER'}/MODEL`,
    stream: true,
    messages: [{ role: 'user', content: 'Tell me about rivers.' }],
  })
  return `curl -N ${origin}/v1/chat/completions -H 'content-type: application/json'${auth} -d '${body}'`
}

function shownModels(config: Config): string {
  const names = modelNames(config)
  if (names.length === 0) return `any model as ${config.providers.map(({ name }) => `${name}/MODEL`).join(' or ')}`
  const rest = names.length - MAX_SHOWN_MODELS
  return names.slice(0, MAX_SHOWN_MODELS).join(', ') + (rest > 0 ? ` and ${rest} more (GET /v1/models)` : '')
}

/** Configured names first, then those of the providers in turn, so that a long list of one does not hide the others. */
function modelNames(config: Config): string[] {
  const lists = config.providers.map(({ name, knownModels }) => knownModels.map((model) => `${name}/${model}`))
  const longest = Math.max(0, ...lists.map((list) => list.length))
  const byTurns = Array.from({ length: longest }, (_, turn) => lists.flatMap((list) => list.slice(turn, turn + 1)))
  return [...config.models.map((model) => model.name), ...byTurns.flat()]
}
