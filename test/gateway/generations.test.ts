// Which requests a reload ends: those of keys that are no more, known by their digest.
import { test } from 'tap'
import { type AccountsEvent } from '../../src/accounts/store.js'
import { LoopAccounts } from '../../src/gateway/accounts/loop-accounts.js'
import { endOfRemovedKeys, watchAccounts } from '../../src/gateway/generations.js'
import { type Loop } from '../../src/gateway/loop.js'
import { type KeyIdentity } from '../../src/pipeline/client.js'
import { load } from '../config/sources.js'
import { AccountRig } from '../helpers/account-rig.js'

const yaml = (name: string, isOn: boolean) => `
server: { endRequestsOfRemovedKeys: ${isOn} }
keys: [{ name: ${name}, key: "key-of-a-0123456789" }]
`

/** Of these three, the names that are ended. */
function endedBy(text: string): (string | null)[] | null {
  const { keySha256 } = load(yaml('a', true)).config.keys[0] ?? { keySha256: '' }
  const keys: KeyIdentity[] = [
    { index: 0, name: 'a', owner: keySha256 },
    { index: 1, name: 'b', owner: '00' },
    { index: -1, name: null, owner: null },
  ]
  let ended: (string | null)[] | null = null
  const pipeline = {
    endOf: (isRemoved: (key: KeyIdentity) => boolean) => {
      ended = keys.filter(isRemoved).map(({ name }) => name)
    },
  }
  endOfRemovedKeys([{ pipeline }], load(text).config)
  return ended
}

test('ends the requests of a removed key; those of a renamed key, and those without a key, continue', (t) => {
  t.same(endedBy(yaml('a', true)), ['b'])
  t.same(endedBy(yaml('renamed', true)), ['b'])
  t.end()
})

test('without the option no request is ended', (t) => {
  t.equal(endedBy(yaml('a', false)), null)
  t.end()
})

for (const isOn of [true, false]) {
  test(`changes of keys of the database are one look a turn at what is open${isOn ? '' : ', and none without the option'}`, async (t) => {
    const rig = new AccountRig()
    const ended: string[] = []
    let tell: (event: AccountsEvent) => void = () => undefined
    const generation = (name: string) => ({
      config: load(yaml('a', isOn)).config,
      pipeline: { endOfClosedAccounts: () => void ended.push(name) },
    })
    const loop = {
      ground: { accounts: new LoopAccounts(rig.memory, () => 1000) },
      accounts: {
        subscribe(listener: typeof tell) {
          tell = listener
        },
      },
      ...{ current: generation('current'), retired: [generation('retired')] },
    } as unknown as Loop
    const account = rig.put('app', { s: null })
    const key: KeyIdentity = { index: rig.reader.byId('key_app')?.index ?? -1, name: 'app', owner: 'key_app', account }
    const file: KeyIdentity = { index: 0, name: 'a', owner: 'o' }
    watchAccounts(loop, {
      closeOf: (isRemoved) => void ended.push(...[key, file].filter(isRemoved).map(({ name }) => `socket of ${name}`)),
    })
    const turn = () => new Promise((resolve) => setImmediate(resolve))
    tell({ type: 'changed', ids: ['key_other'] })
    await turn()
    t.same(ended.splice(0), isOn ? ['current', 'retired'] : [])
    rig.writer.remove('key_app')
    for (let i = 0; i < 3; i++) tell({ type: 'changed', ids: ['key_app'] })
    await turn()
    t.same(ended, isOn ? ['current', 'retired', 'socket of app'] : [])
  })
}
