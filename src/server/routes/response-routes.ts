// The routes of stored answers: retrieve one, delete it, list the items of its input. An answer of another key is answered like one that
// does not exist. Reading is no new work: it takes no slot and no tokens.
import { GatewayError } from '../../errors.js'
import { type KeyIdentity } from '../../pipeline/client.js'
import { type ItemQuery, type StoredAnswers } from '../../protocols/contract/stored.js'
import { type StoredResponse } from '../../responses/store.js'
import { ownerOf } from '../../streams/kept/readable-log.js'
import { followAnswer } from '../background/follow-answer.js'
import { type AnswerBell, type BackgroundAnswers } from '../context.js'
import { type HttpRequest } from '../engine/engine.js'
import { type Act, type HttpExchange } from '../http/http.js'
import { sendAfter } from '../kept/stream-routes.js'

const DEFAULT_PAGE = 20
const MAX_PAGE = 100

/** Answers a stored answer as it was sent, or its events: `?stream=true&starting_after=`. */
export function answerResponse(stored: StoredAnswers, bell: AnswerBell): Act {
  return (exchange, req) => {
    const id = idOf(req)
    const [stream = '', startingAfter = ''] = ['stream', 'starting_after'].map((name) => req.getQuery(name) ?? '')
    run(exchange, async (key) => {
      const after = readAfter(startingAfter)
      const found = await find(exchange, { stored, key, id })
      if (stream === 'true') await sendEvents(exchange, { stored, found, after, bell })
      else exchange.answer(200, found.response)
    })
  }
}

type Sent = {
  readonly stored: StoredAnswers
  readonly found: StoredResponse
  readonly after: number
  readonly bell: AnswerBell
}

/** @throws stream_gone where its stream was never kept, or is no longer held */
async function sendEvents(exchange: HttpExchange, { stored, found, after, bell }: Sent): Promise<void> {
  const { surface, view } = exchange
  const { streamId, owner } = found
  const log = streamId === null ? null : ((await view.keeping?.reach(streamId, owner)) ?? null)
  const { isBackground, isOver } = stored.readState(found.response)
  if (log === null && surface !== null && isBackground && !isOver) {
    followAnswer({ exchange, surface, stored, found, after, bell })
    return
  }
  if (log === null || surface === null) throw new GatewayError('stream_gone', { message: NOT_KEPT })
  if (!exchange.isOver) sendAfter({ exchange, log, surface, headers: [] }, stored.sequenceOf, after)
}

const NOT_KEPT =
  'The events of this response are not held. They are for background responses with stream: true and for requests with x-sluice-resume: 1, for as long as streams.keepMs says; the response itself is found without stream=true.'

/** Forgets a stored answer. Those that continued it have its turns of their own. */
export function deleteResponse(stored: StoredAnswers, runs: BackgroundAnswers): Act {
  return (exchange, req) => {
    const id = idOf(req)
    run(exchange, async (key) => {
      const run = runs.find(ownerOf(key), id)
      run?.forget()
      if (run !== null) runs.remove(run)
      const { phase } = await find(exchange, { stored, key, id })
      const isDeleted = (await exchange.view.responses.desk?.delete(ownerOf(key), id)) ?? false
      if (!isDeleted) throw stored.notFound(id)
      if (phase !== 'over') await removeJob(exchange, id)
      exchange.answer(200, encode(stored.encodeDeleted(id)))
    })
  }
}

/** Cancels an answer that runs in the background, wherever it runs: there it is seen within a second. */
export function cancelResponse(stored: StoredAnswers, runs: BackgroundAnswers): Act {
  return (exchange, req) => {
    const id = idOf(req)
    run(exchange, async (key) => {
      const found = await find(exchange, { stored, key, id })
      const { isOver, isBackground } = stored.readState(found.response)
      if (!isBackground) throw stored.notBackground()
      if (!isOver && !(await cancelHere(runs, found))) await cancelElsewhere(exchange, stored, found)
      exchange.answer(200, (await find(exchange, { stored, key, id })).response)
    })
  }
}

/** False if it does not run here. */
async function cancelHere(runs: BackgroundAnswers, { owner, id }: StoredResponse): Promise<boolean> {
  const run = runs.find(owner, id)
  if (run === null || !(await run.cancel())) return false
  // One that waited has left the queue, and its request is no longer held.
  runs.remove(run)
  return true
}

/** Only if it has not ended meanwhile. @throws storage_unavailable */
async function cancelElsewhere(exchange: HttpExchange, stored: StoredAnswers, found: StoredResponse): Promise<void> {
  const { id, owner, streamId } = found
  const response = stored.withCancelled(found.response)
  const advanced = await exchange.view.responses.desk?.advance({ id, owner, phase: 'over', response, streamId })
  if (advanced instanceof GatewayError) throw advanced
  if (advanced !== false) await removeJob(exchange, id)
}

/** Stops it where it runs as a job, here or elsewhere. While that store is unavailable it runs to its end, which nobody gets. */
async function removeJob({ view }: HttpExchange, id: string): Promise<void> {
  await view.backgroundJobs?.remove(id).catch(() => false)
}

/** Lists the items of its input, those of earlier turns included: `?limit=&order=&after=`. */
export function answerInputItems(stored: StoredAnswers): Act {
  return (exchange, req) => {
    const id = idOf(req)
    const [limit = '', order = '', after = ''] = ['limit', 'order', 'after'].map((name) => req.getQuery(name) ?? '')
    run(exchange, async (key) => {
      const query: ItemQuery = { limit: readLimit(limit), order: readOrder(order), after: after === '' ? null : after }
      const found = await find(exchange, { stored, key, id })
      exchange.answer(200, encode(stored.encodeItems(found, query)))
    })
  }
}

/** The part of the path that names the answer. */
function idOf(req: HttpRequest): string {
  return req.getParameter(0) ?? ''
}

function run(exchange: HttpExchange, act: (key: KeyIdentity) => Promise<void>): void {
  act(exchange.authenticate()).catch((thrown: unknown) => exchange.reject(thrown))
}

type Sought = { readonly stored: StoredAnswers; readonly key: KeyIdentity; readonly id: string }

/** @throws not_found, storage_unavailable */
async function find(exchange: HttpExchange, { stored, key, id }: Sought): Promise<StoredResponse> {
  const found = (await exchange.view.responses.desk?.get(ownerOf(key), id)) ?? null
  if (found === null) throw stored.notFound(id)
  return found
}

function readAfter(text: string): number {
  if (text === '') return -1
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw invalid('starting_after', 'must be the number of an event.')
}

function readLimit(text: string): number {
  if (text === '') return DEFAULT_PAGE
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (limit >= 1 && limit <= MAX_PAGE) return limit
  throw invalid('limit', `must be a number from 1 to ${MAX_PAGE}.`)
}

function readOrder(text: string): 'asc' | 'desc' {
  if (text === '' || text === 'desc') return 'desc'
  if (text === 'asc') return text
  throw invalid('order', 'must be asc or desc.')
}

function invalid(param: string, what: string): GatewayError {
  return new GatewayError('invalid_request', { message: `${param} ${what}`, param })
}

function encode(body: object): Buffer {
  return Buffer.from(JSON.stringify(body))
}
