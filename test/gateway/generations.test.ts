// Which requests a reload ends: those of keys that are no more, known by their digest.
import { test } from 'tap'
import { endOfRemovedKeys } from '../../src/gateway/generations.js'
import { type KeyIdentity } from '../../src/pipeline/client.js'
import { load } from '../config/sources.js'

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
