// The routes that read jobs: their own caller's alone, in pages, and taken back.
import { test } from 'tap'
import { startJobFront } from '../../helpers/job-front.js'
import { newJob } from '../../helpers/new-job.js'

const CLAIM = { kind: 'chat' as const, limit: 1, leaseMs: 60_000, maxAttempts: 3 }

test('shows a job to its key only; to other keys it does not exist', async (t) => {
  const { ask, store, pipeline } = await startJobFront(t)
  await store.accept(newJob('job_x', { owner: 'a', request: '{"n":12345678901234567890}' }))
  const told = await ask('/job_x', null)
  t.equal(told.status, 200)
  t.equal(
    told.text,
    '{"request_id":"job_x","status":"pending","request":{"n":12345678901234567890},"timestamp":1000000}',
  )
  for (const [id, key] of [
    ['/job_x', 'b'],
    ['/job_none', 'a'],
  ] as const) {
    t.equal((await ask(id, null, { key })).status, 404)
    t.equal((await ask(id, null, { key, method: 'DELETE' })).status, 404)
    const { surface, error } = pipeline.rejections.at(-1) ?? {}
    t.match(surface?.encodeError(error?.data as never, '', null as never).body, {
      error: { type: 'request_not_found' },
    })
  }
  t.match(await store.get('job_x'), { state: 'pending' })
})

test('cancels waiting and running jobs, and is 409 for one that has ended', async (t) => {
  const { ask, store } = await startJobFront(t)
  for (const id of ['job_1', 'job_2', 'job_3']) await store.accept(newJob(id, { owner: 'a' }))
  const [ended] = await store.claim(CLAIM)
  if (ended === undefined) throw new Error('nothing to claim')
  await store.complete(ended.lease, '{}')
  await store.claim(CLAIM)
  const cancel = (id: string) => ask(`/${id}`, null, { method: 'DELETE' })
  t.equal((await cancel('job_1')).status, 409)
  t.same((await cancel('job_2')).body, { request_id: 'job_2', status: 'cancelled' })
  t.same((await cancel('job_3')).body, { request_id: 'job_3', status: 'cancelled' })
  t.match(await store.get('job_2'), { state: 'error', error: { code: 'client_gone' } })
  t.equal(await store.get('job_3'), null)
})

test('lists in pages, newest first, and rejects invalid parameters', async (t) => {
  const { ask, store } = await startJobFront(t)
  for (let i = 0; i < 25; i++) await store.accept(newJob(`job_${i}`, { owner: 'a' }))
  await store.accept(newJob('job_other', { owner: 'b' }))
  await store.claim(CLAIM)
  const idsOf = ({ body }: { body: Record<string, unknown> }) =>
    (body.data as { request_id: string }[]).map(({ request_id }) => request_id)
  const page = await ask('', null)
  t.equal(idsOf(page).length, 20)
  t.equal(page.body.has_more, true)
  const rest = await ask('?after=job_5', null)
  t.same(idsOf(rest), ['job_4', 'job_3', 'job_2', 'job_1', 'job_0'])
  t.equal(rest.body.has_more, false)
  t.same(idsOf(await ask('?status=processing', null)), ['job_0'])
  t.same(idsOf(await ask('?limit=2', null)), ['job_24', 'job_23'])
  for (const query of ['?limit=0', '?limit=101', '?limit=1e1', '?status=done']) {
    t.equal((await ask(query, null)).status, 400, query)
  }
})

test('needs a key where there are keys', async (t) => {
  const { ask, pipeline } = await startJobFront(t)
  pipeline.keys = ['a']
  t.equal((await ask('', null)).status, 200)
  t.equal((await ask('', null, { key: 'b' })).status, 401)
  t.equal((await ask('/job_1', null, { key: 'b' })).status, 401)
})
