// The front end with a door for jobs: over the embedded store, with a scripted pipeline, on a surface whose bodies are taken
// as they come.
import { type Test } from 'tap'
import { GatewayError } from '../../src/errors.js'
import { type DecodedBody } from '../../src/protocols/contract/envelope.js'
import { type Surface } from '../../src/protocols/contract/protocol.js'
import { type JobPolicy } from '../../src/server/context.js'
import { scanMembers } from '../../src/wire/body/members.js'
import { CHAT_PATH, fakeSurface } from './fake-pipeline.js'
import { startFront } from './front.js'
import { createPlainStore } from './plain-store.js'

const HABITS: JobPolicy = {
  isAsyncByDefault: false,
  webhook: { allowInsecure: false, allowPrivateNetworks: false },
  caps: { perKey: 100, all: 100, stored: { perKey: 100_000, all: 100_000 } },
  maxAnswerBytes: 1000,
  countRequest: () => null,
  checkTokens: () => undefined,
  checkRoute: () => undefined,
}

export type Asked = { readonly method?: string; readonly key?: string; readonly headers?: Record<string, string> }

export async function startJobFront(t: Test, habits: Partial<JobPolicy> = {}, surface: Surface = fakeSurface) {
  const store = createPlainStore(t, () => 1_000_000)
  const told: string[] = []
  let ids = 0
  const jobDoor = {
    ...{ surface: fakeSurface, desk: store, decode: decodeAnything, tell: () => undefined },
    createJobId: () => `job_${ids++}`,
    onNoRoom: (scope: string) => void told.push(`no room: ${scope}`),
    onNotKept: (reason: string) => void told.push(`not kept: ${reason}`),
  }
  const options = { jobDoor, jobs: { ...HABITS, ...habits }, surfaces: [surface] }
  const { url, port, pipeline, server } = await startFront(t, { options })
  const ask = async (path: string, body: string | null, { method, key = 'a', headers = {} }: Asked = {}) => {
    const answer = await fetch(`${url}${CHAT_PATH}${path}`, {
      method: method ?? (body === null ? 'GET' : 'POST'),
      headers: { 'content-type': 'application/json', 'x-api-key': key, ...headers },
      ...(body === null ? {} : { body }),
    })
    const text = await answer.text()
    return { status: answer.status, headers: answer.headers, text, body: JSON.parse(text) as Record<string, unknown> }
  }
  return { store, pipeline, port, server, ask, told }
}

function decodeAnything(_surfaceId: string, body: Uint8Array<ArrayBuffer>): DecodedBody {
  const members = scanMembers(body)
  if (members === null) throw new GatewayError('invalid_request')
  const plain = { includeUsage: false, maxOutputTokens: null, provider: null, prompt: null }
  const facts = { model: 'm', stream: false, ...plain }
  return { facts, members, estimatedTokens: 1, json: null, head: null, body }
}
