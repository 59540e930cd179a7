// Written down while gateways are killed: which jobs were answered 202, by whichever gateway. At the end each of them is
// looked for, and its webhook: what was accepted and is not there was lost.
import { type Test } from 'tap'
import { type Running } from './gateway.js'
import { JobClient } from './job-client.js'
import { type WebhookReceiver } from './webhook-receiver.js'

type ListedJob = { readonly request_id: string; readonly status: string; readonly attempts: number }

export type JobLedgerOptions = { readonly model: string; readonly receiver: WebhookReceiver }

/** Between two of one submitter: the gateway is to be killed with little on its way, not with a mountain. */
const PAUSE_MS = 40
const SUBMITTERS = 4
const PAGE = 100
const POLL_MS = 50
/** For all that the killed ones left behind, on a busy machine. */
const PATIENCE_MS = 90_000

/** The jobs of one test. */
export class JobLedger {
  readonly #options: JobLedgerOptions
  readonly #accepted = new Set<string>()
  #isStopped = false

  constructor(options: JobLedgerOptions) {
    this.#options = options
  }

  get count(): number {
    return this.#accepted.size
  }

  /** Several at a time submit to a gateway until it is dead. `begun`: it has accepted a job; `done`: it answers nobody. */
  submit(gateway: Running): { readonly begun: Promise<void>; readonly done: Promise<void> } {
    let onFirst = (): void => undefined
    const begun = new Promise<void>((resolve) => {
      onFirst = resolve
    })
    const submitting = Array.from({ length: SUBMITTERS }, () => this.#submitUntilDead(gateway, onFirst))
    return { begun, done: Promise.all(submitting).then(() => undefined) }
  }

  /** Nothing more is submitted, to whichever gateway. */
  stop(): void {
    this.#isStopped = true
  }

  /** All have ended, none is lost, and each was told under one id; resolves with how often their runs were begun. */
  async check(t: Test, client: JobClient): Promise<readonly number[]> {
    await until(async () => (await countOf(client, 'pending')) + (await countOf(client, 'processing')) === 0)
    const jobs = await listAll(client)
    const lost = [...this.#accepted].filter((id) => !isEnd(jobs.get(id)?.status))
    t.same(lost, [], `none of ${this.count} accepted jobs is lost`)
    const { receiver } = this.#options
    const untold = (): string[] => {
      const told = new Set(receiver.received.map(({ body }) => body.request_id))
      return [...this.#accepted].filter((id) => !told.has(id))
    }
    await until(async () => untold().length === 0).catch(() => undefined)
    t.same(untold(), [], 'each was told')
    const others = receiver.received.filter(({ headers, body }) => headers['webhook-id'] !== body.request_id)
    t.same(others, [], 'under one id, however often')
    return [...this.#accepted].map((id) => jobs.get(id)?.attempts ?? 0)
  }

  async #submitUntilDead(gateway: Running, onFirst: () => void): Promise<void> {
    const { model, receiver } = this.#options
    const client = new JobClient(gateway)
    const body = { model, webhookUrl: receiver.url, messages: [{ role: 'user', content: 'x' }] }
    while (!this.#isStopped && gateway.child.exitCode === null && gateway.child.signalCode === null) {
      const answer = await client.post(body).catch(() => null)
      if (answer?.status === 202) {
        this.#accepted.add(String(answer.body.request_id))
        onFirst()
      }
      await pause(PAUSE_MS)
    }
  }
}

/** Resolves when it is so; what fails meanwhile is not so yet. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS
  while (performance.now() < deadlineMs) {
    if (await isSo().catch(() => false)) return
    await pause(POLL_MS)
  }
  throw new Error('not within the time it is given')
}

function isEnd(status: string | undefined): boolean {
  return status === 'completed' || status === 'error'
}

/** Zero or more: a page of one tells which. */
async function countOf(client: JobClient, status: string): Promise<number> {
  return ((await client.list(`?status=${status}&limit=1`)).body.data as unknown[]).length
}

async function listAll(client: JobClient): Promise<ReadonlyMap<string, ListedJob>> {
  const jobs = new Map<string, ListedJob>()
  let after = ''
  for (;;) {
    const { body } = await client.list(`?limit=${PAGE}${after === '' ? '' : `&after=${after}`}`)
    const page = body.data as readonly ListedJob[]
    for (const job of page) jobs.set(job.request_id, job)
    after = page.at(-1)?.request_id ?? ''
    if (body.has_more !== true) return jobs
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
