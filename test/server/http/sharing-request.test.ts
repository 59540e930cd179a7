// Which requests over HTTP sharing is asked about.
import { test } from 'tap'
import { type Keeping, type Sharing } from '../../../src/server/context.js'
import { type RequestHead } from '../../../src/server/engine/request-head.js'
import { asksToKeep, isKept, mayShare, sharingRequestOf } from '../../../src/server/http/sharing-request.js'
import { FakeSink } from '../../helpers/fake-sink.js'
import { KEY } from '../../helpers/pipeline-config.js'
import { OPENAI, surfaceOf } from '../../helpers/pipeline-wires.js'

const PLAIN: RequestHead = {
  ...{ method: 'POST', path: '/', agent: '', authorization: '', apiKey: '', vendorKey: '', contentType: '' },
  ...{ contentEncoding: '', contentLength: 0, isChunked: false, requestId: '', prefer: '', idempotencyKey: '' },
  ...{ isIdempotencyKeyDoubled: false, asksToResume: false, retryCount: '', cacheControl: '', origin: '' },
  ...{ host: 'x', forwardedFor: '', forwarded: '', isCredentialDoubled: false, parameterHeaders: {}, fault: null },
} as RequestHead
const keeping = (isAlways: boolean): Keeping => ({ isAlways }) as Keeping
const sharing = (isForAll: boolean): Sharing => ({ isForAll }) as Sharing
const head = (changes: Partial<RequestHead>): RequestHead => ({ ...PLAIN, ...changes })

test('a stream is kept for who asks by header or by key, or for all, where any is kept', (t) => {
  t.notOk(asksToKeep(PLAIN))
  t.ok(asksToKeep(head({ asksToResume: true })))
  t.ok(asksToKeep(head({ idempotencyKey: 'k' })))
  const kept = (changes: Partial<RequestHead>, view: Keeping | null) =>
    isKept({ head: head(changes), view: { keeping: view } })
  t.notOk(kept({}, keeping(false)))
  t.ok(kept({}, keeping(true)))
  t.ok(kept({ asksToResume: true }, keeping(false)))
  t.notOk(kept({ asksToResume: true, idempotencyKey: 'k' }, null))
  t.end()
})

test('a plain request, and the first try of a client library, is of no concern to sharing', (t) => {
  const concerns = (changes: Partial<RequestHead>, isForAll = false) =>
    mayShare({ head: head(changes), view: { keeping: keeping(false), sharing: sharing(isForAll) } })
  for (const retryCount of ['', '0', '00', 'x', '-1', '1000', '1.5']) t.notOk(concerns({ retryCount }), retryCount)
  for (const retryCount of ['1', '2', '17']) t.ok(concerns({ retryCount }), retryCount)
  t.ok(concerns({ asksToResume: true }))
  t.ok(concerns({ idempotencyKey: 'k' }))
  t.ok(concerns({}, true), 'where models share, all are')
  t.notOk(mayShare({ head: head({ retryCount: '1' }), view: { keeping: null, sharing: null } }))
  t.end()
})

test('sharing gets the facts of the request, and whether its client is still there', (t) => {
  const clientSink = new FakeSink()
  const asking = {
    ...{ requestId: 'r', path: null, clientSink, isOver: false },
    head: head({ retryCount: '1', cacheControl: 'no-cache', parameterHeaders: { beta: 'x' }, asksToResume: true }),
    view: { keeping: keeping(false) },
  }
  const request = sharingRequestOf(asking, KEY, surfaceOf(OPENAI))
  t.match(request, {
    ...{ requestId: 'r', surfaceId: OPENAI, key: KEY, path: null, parameterHeaders: { beta: 'x' }, isRetry: true },
    ...{ cacheControl: 'no-cache', isKept: true, hasIds: true },
  })
  t.equal(request.clientSink, clientSink)
  t.equal(request.isOver(), false)
  asking.isOver = true
  t.equal(request.isOver(), true)
  t.end()
})
