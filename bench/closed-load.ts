// One client that waits for each answer before it asks again: the latency of a request that meets an idle server. autocannon
// counts whole milliseconds, which is more than a gateway adds.
import { connect } from 'node:net'
import { AnswerReader } from './answer-reader.js'
import { rawRequest } from './raw-request.js'
import { type BenchRequest } from './requests.js'

/** Not counted: the connection, and code that was never run. */
const WARM_UP = 20

export type ClosedLoad = { readonly amount: number; readonly warmUp?: number }

/** Times of `amount` answers in ms, sorted. @throws for an answer other than 200, or a connection that closes */
export function runClosedLoad(request: BenchRequest, load: ClosedLoad): Promise<number[]> {
  const { amount, warmUp = WARM_UP } = load
  const target = new URL(request.origin)
  const bytes = rawRequest(request)
  const reader = new AnswerReader({ marker: request.marker })
  const tookMs: number[] = []
  return new Promise((resolve, reject) => {
    const socket = connect(Number(target.port), target.hostname).setNoDelay(true)
    let sentAt = 0
    let left = amount + warmUp
    const next = (): void => {
      reader.begin()
      sentAt = performance.now()
      socket.write(bytes)
    }
    socket.on('data', (chunk: Buffer) => {
      reader.push(chunk)
      if (!reader.isOver) return
      if (reader.status !== 200) socket.destroy(new Error(`status ${reader.status}`))
      left -= 1
      if (left < amount) tookMs.push(performance.now() - sentAt)
      if (left > 0) next()
      else {
        socket.destroy()
        resolve(tookMs.sort((a, b) => a - b))
      }
    })
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('the connection was closed')))
    next()
  })
}
