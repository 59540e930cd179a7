// The plan of a whole run, from the names of its test files: which of them share a process, how many processes run at a time, and
// which begin first. test/suite.ts performs it.

/** One process: the arguments of Node. */
export type Run = { readonly name: string; readonly args: readonly string[] }
/** Processes that run at the same time, so many at once. */
export type Group = { readonly name: string; readonly jobs: number; readonly runs: readonly Run[] }

type Kind = 'unit' | 'processes' | 'load'

/**
 * For two cores. Those that start gateways wait for half of their time, for a start, a flush or a lease, so that four of them use
 * what two cores have. No verdict depends on who else uses the machine, but in the last group.
 */
const KINDS: readonly { readonly name: Kind; readonly jobs: number }[] = [
  { name: 'unit', jobs: 3 },
  { name: 'processes', jobs: 4 },
  { name: 'load', jobs: 1 },
]

const END_TO_END = /^dist\/test\/(compat|e2e|faults)\//
/** What compares rates or times, or takes a core for itself. */
const LOAD = /^dist\/test\/e2e\/(aborts|busy-processor|drain|overload)\.test\.js$/

/** The files of a folder of dist/test/ share a process; of the server and the accounts, the largest, those of a folder of their own. */
const AREA = /^dist\/test(?:\/(?:server|accounts)(?=\/))?(?:\/[^/]+(?=\/))?/

/** Files that need a process of their own although their area shares one. */
const ALONE: readonly (readonly [name: RegExp, reason: string])[] = [
  [/\/(config-size|fuzz|laws\/offload)\.test\.js$/, 'as long as an area'],
  [
    /\/(http-sink-timers|engine\/listener|joining\/run-joiner)\.test\.js$/,
    'wait for clocks, longer than an area takes',
  ],
  [
    /\/(streams\/redis\/stream-store|jobs\/(redis|sqlite)\/store)\.test\.js$/,
    'wait for clocks, longer than an area takes',
  ],
  [
    /\/responses\/(redis\/redis-store|sqlite\/responses)\.test\.js$/,
    'keep their process alive until all of their tests are over',
  ],
  [/\/jobs\/(kill|nodes)\.test\.js$/, 'kill processes of their own'],
  [/\/kept\/kept-sink\.test\.js$/, 'measures the memory of its process'],
]

/** The runs of a quarter of a minute and more, the longest first: the end of a group waits for one that begins late. */
const LONG: readonly string[] = [
  ...['accounts/database', 'accounts', 'accounts/directory', 'laws', 'laws/fuzz', 'upstream'],
  ...['streams/redis/stream-store', 'gateway', 'server/http-sink-timers', 'server/sharing/joining/run-joiner'],
  // Pages in a browser are four processes each: not all of them at once.
  ...['faults/upstream', 'e2e/console-live', 'faults/kept-nodes', 'faults/http2', 'e2e/console-playground'],
  ...['faults/protocols', 'faults/workers', 'e2e/console-requests', 'faults/oversize', 'e2e/clouds'],
  ...['e2e/console-keys', 'faults/reaching', 'e2e/responses-websocket', 'e2e/background-responses'],
  ...['e2e/console-budgets', 'e2e/readme', 'e2e/budget-nodes', 'e2e/delivery', 'e2e/user-budget-nodes'],
  ...['e2e/durable-background', 'e2e/secrets', 'e2e/response-stores', 'faults/raw', 'e2e/job-kill', 'faults/client'],
  ...['e2e/stream-routing', 'e2e/resume-clients', 'e2e/browser-tokens', 'e2e/reload-load', 'faults/half-open'],
  ...['e2e/jobs-redis-faults', 'e2e/reload', 'e2e/responses-client', 'e2e/receiving', 'e2e/process-faults'],
  ...['e2e/queue-place'],
]

/**
 * Runs in which V8 counts lines for the law about the pure core (coverage.ts --core), which ends a run of the plan. It costs a
 * third of their CPU: some 20 s in all, as the laws take most of it.
 */
const COUNTED = /^dist\/test(\/(model|wire|protocols|laws|server\/(openapi|routes)))?$/

/** A group without files has none to run. */
export function planAll(files: readonly string[]): Group[] {
  return KINDS.map(({ name, jobs }) => {
    const members = files.filter((file) => kindOf(file) === name)
    return { name, jobs, runs: name === 'unit' ? planAreas(members) : longFirst(members.map(planFile)) }
  })
}

/** One run a file, but one for all files of an area that can share a process. */
export function planAreas(files: readonly string[]): Run[] {
  const areas = new Map<string, string[]>()
  for (const file of files) {
    const isAlone = ALONE.some(([name]) => name.test(file))
    const area = isAlone ? file : (AREA.exec(file)?.[0] ?? file)
    areas.set(area, [...(areas.get(area) ?? []), file])
  }
  return longFirst(
    Array.from(areas, ([name, members]) => {
      const [first = name, ...others] = members
      return others.length === 0 ? planFile(first) : { name, args: ['dist/test/area.js', name, ...members] }
    }),
  )
}

export function planFile(file: string): Run {
  return { name: file, args: [file] }
}

/** Whether V8 counts in it. */
export function isCounted({ name }: Run): boolean {
  return COUNTED.test(name)
}

/** Names of the plan that no run has any more, and reasons without a file. */
export function staleNames(files: readonly string[]): string[] {
  const names = new Set(planAll(files).flatMap(({ runs }) => runs.map(shortName)))
  const alone = ALONE.map(([name]) => name).filter((name) => !files.some((file) => name.test(file)))
  return [...LONG.filter((name) => !names.has(name)), ...alone.map(String)]
}

function kindOf(file: string): Kind {
  if (LOAD.test(file)) return 'load'
  return END_TO_END.test(file) ? 'processes' : 'unit'
}

function longFirst(runs: readonly Run[]): Run[] {
  const rank = (run: Run): number => {
    const at = LONG.indexOf(shortName(run))
    return at === -1 ? LONG.length : at
  }
  return [...runs].sort((a, b) => rank(a) - rank(b))
}

function shortName({ name }: Run): string {
  return name.replace(/^dist\/test\//, '').replace(/\.test\.js$/, '')
}
