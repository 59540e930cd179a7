// Load that does not wait for answers: so many requests a second, whatever becomes of them, as real clients come. Closed loops
// such as autocannon's slow down with the server and so never overload it.
import { Agent, request } from 'undici'

export type OpenLoad = {
  readonly url: string
  readonly body: string
  readonly perSec: number
  readonly seconds: number
}

export type OpenReport = {
  readonly sent: number
  /** Whole answers a second, over the time in which requests were sent. */
  readonly goodputPerSec: number
  readonly refused: number
  /** Neither 200 nor 429 nor 503. */
  readonly failed: number
  /** From sending to the whole answer, in ms. */
  readonly servedMs: readonly number[]
  readonly refusedMs: readonly number[]
}

const TICK_MS = 10

/** Sends at an even pace and waits for the last answer. */
export async function runOpenLoad({ url, body, perSec, seconds }: OpenLoad): Promise<OpenReport> {
  const agent = new Agent({ connections: null })
  const servedMs: number[] = []
  const refusedMs: number[] = []
  let [failed, servedInTime, sent] = [0, 0, 0]
  const startMs = performance.now()
  const endMs = startMs + seconds * 1000
  const ask = async (): Promise<void> => {
    const sentMs = performance.now()
    const headers = { 'content-type': 'application/json' }
    const answer = await request(url, { method: 'POST', headers, body, dispatcher: agent })
    await answer.body.dump()
    const nowMs = performance.now()
    if (answer.statusCode === 200) {
      servedMs.push(nowMs - sentMs)
      if (nowMs <= endMs) servedInTime += 1
    } else if (answer.statusCode === 503 || answer.statusCode === 429) refusedMs.push(nowMs - sentMs)
    else failed += 1
  }
  const open: Promise<void>[] = []
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const nowMs = performance.now()
      const due = Math.floor((Math.min(nowMs, endMs) - startMs) * (perSec / 1000))
      for (; sent < due; sent++) {
        open.push(
          ask().catch(() => {
            failed += 1
          }),
        )
      }
      if (nowMs < endMs) return
      clearInterval(timer)
      resolve()
    }, TICK_MS)
  })
  await Promise.all(open)
  await agent.destroy()
  return { sent, goodputPerSec: servedInTime / seconds, refused: refusedMs.length, failed, servedMs, refusedMs }
}

/** A quantile of unsorted numbers; 0 for none. */
export function quantileOf(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
}
