// Ends from outside, on a pipeline without a network: who is ended, with what, and who goes on.
import { test } from 'tap'
import { createAuthenticate } from '../../src/pipeline/stages/authenticate.js'
import { AccountRig } from '../helpers/account-rig.js'
import { FakeSink } from '../helpers/fake-sink.js'
import { PipelineRig, turn } from '../helpers/pipeline.js'
import { breaches } from '../helpers/pipeline-breaches.js'
import { STREAMS } from '../helpers/pipeline-wires.js'

test('a removed key ends its open requests, by status or in-band, and no other key feels it', async (t) => {
  const rig = new PipelineRig()
  const [early, streaming] = [await rig.ask(), await rig.ask()]
  rig.call.head()
  rig.call.send(STREAMS['openai-chat'].head + STREAMS['openai-chat'].content[0])
  await turn()
  rig.pipeline.endOf(({ owner }) => owner === 'of another key')
  t.equal(rig.pipeline.openCount(), 2)
  rig.pipeline.endOf(() => true)
  await turn()
  t.equal(rig.pipeline.openCount(), 0)
  t.equal(early.answers[0]?.status, 401)
  t.match(Buffer.from(early.answers[0]?.body ?? []).toString(), /has been removed/)
  t.match(streaming.text, /has been removed/)
  t.notMatch(streaming.text, /\[DONE\]/)
  t.same(
    rig.records.map(({ outcome }) => outcome),
    ['rejected', 'rejected'],
  )
  t.same(breaches(rig, [early, streaming]), [])
})

test('a request whose body was on its way when its key was removed ends as it begins, and reaches no provider', async (t) => {
  const rig = new PipelineRig()
  rig.pipeline.endOf(() => true)
  const sink = new FakeSink()
  await rig.ask({ sink })
  t.equal(sink.answers[0]?.status, 401)
  t.equal(rig.calls.length, 0)
  t.same(breaches(rig, [sink]), [])
})

test('a drain may spare exchanges whose clients get the answer from other nodes', async (t) => {
  const rig = new PipelineRig()
  const [own, shared] = [new FakeSink(), Object.assign(new FakeSink(), { isShared: true })]
  await rig.ask({ sink: own })
  await rig.ask({ sink: shared })
  rig.pipeline.endAll(true)
  t.same([own.answers.map(({ status }) => status), shared.answers], [[503], []])
  rig.pipeline.endAll()
  t.same([own.answers.length, shared.answers.map(({ status }) => status)], [1, [503]])
  t.same(breaches(rig, [own, shared]), [])
})

test('requests of a key of the database end when it is disabled, deleted or expired, and those of no other', async (t) => {
  const ends: Record<string, (accounts: AccountRig) => void> = {
    disabled: (accounts) => void accounts.put('app', { s: null }, { disabled: true }),
    deleted: (accounts) => accounts.writer.remove('key_app'),
    'made anew': (accounts) => {
      accounts.writer.remove('key_app')
      accounts.put('app', { s: null }, { id: 'key_app2' })
    },
    expired: (accounts) => {
      accounts.nowMs = 5000
    },
  }
  for (const [what, end] of Object.entries(ends)) {
    const accounts = new AccountRig()
    const rig = new PipelineRig({ accounts: accounts.source })
    const authenticate = createAuthenticate({ keys: [], accounts: { store: 'sqlite' } }, { accounts: accounts.source })
    accounts.put('app', { s: null }, { expiresAtMs: 5000 })
    accounts.put('other', { o: null })
    const key = authenticate({ authorization: 'Bearer s', apiKey: '' })
    const other = authenticate({ authorization: 'Bearer o', apiKey: '' })
    const [sink] = [await rig.ask({ key }), await rig.ask({ key: other })]
    rig.pipeline.endOfClosedAccounts()
    await turn()
    t.equal(rig.pipeline.openCount(), 2, `${what}: not before`)
    end(accounts)
    rig.pipeline.endOfClosedAccounts()
    await turn()
    t.equal(rig.pipeline.openCount(), 1, what)
    t.equal(sink.answers[0]?.status, 401)
    const late = await rig.ask({ key })
    t.equal(late.answers[0]?.status, 401, 'its body was on its way')
    t.equal(rig.calls.length, 2)
    rig.pipeline.endAll()
    await turn()
  }
})
