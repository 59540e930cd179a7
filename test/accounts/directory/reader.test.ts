// The directory step by step: at each read of a look-up the writer changes something, and at each write of a change a reader looks.
import { createHash } from 'node:crypto'
import { test } from 'tap'
import { createDirectoryMemory } from '../../../src/accounts/directory/memory.js'
import { DirectoryReader } from '../../../src/accounts/directory/reader.js'
import { DirectoryWriter } from '../../../src/accounts/directory/writer.js'
import { type SecretDigest } from '../../../src/accounts/types.js'
import { digestOfKey, faultOf, hammerAccount } from '../../helpers/directory-hammer.js'

const NOW_MS = 1000
const KEYS = 4

function secretsOf(k: number, validUntilMs: number | null = null): SecretDigest[] {
  return [{ digest: digestOfKey(k), validUntilMs }]
}

/** A small directory in which all keys are in each other's way. */
function setUp() {
  const memory = createDirectoryMemory(KEYS + 1)
  const writer = new DirectoryWriter(memory)
  for (let k = 0; k < KEYS; k++) writer.put(hammerAccount(k, 1, { id: `key_${k}` }), secretsOf(k))
  const find = (k: number) => new DirectoryReader(memory).find(digestOfKey(k), NOW_MS)
  return { memory, writer, find }
}

type Rig = ReturnType<typeof setUp>
type Call = 'load' | 'store'

/** Runs `act`; at its n-th call of that kind, `meanwhile` once. Returns whether it came to that. */
function interrupt<T>(call: Call, n: number, { act, meanwhile }: { act: () => T; meanwhile: () => void }) {
  const original = Atomics[call]
  let calls = 0
  const patched = (...args: [Int32Array, number, number]): number => {
    calls += 1
    if (calls === n) {
      Reflect.set(Atomics, call, original)
      meanwhile()
    }
    return (original as (...args: [Int32Array, number, number]) => number)(...args)
  }
  Reflect.set(Atomics, call, patched)
  try {
    return { result: act(), wasReached: calls >= n }
  } finally {
    Reflect.set(Atomics, call, original)
  }
}

/** What may happen to others or to the key itself while it is looked up, and whether it stays. */
const CHANGES: Record<string, { readonly stays: boolean; readonly change: (rig: Rig, k: number) => void }> = {
  'another key goes, and this one moves up': {
    stays: true,
    change: ({ writer }, k) => writer.remove(`key_${(k + 1) % KEYS}`),
  },
  'all other keys go': {
    stays: true,
    change: ({ writer }, k) => {
      for (let other = 0; other < KEYS; other++) if (other !== k) writer.remove(`key_${other}`)
    },
  },
  'its record is replaced, and its memory used by others': {
    stays: true,
    change: ({ writer }, k) => {
      writer.put(hammerAccount(k, 2, { id: `key_${k}` }), secretsOf(k))
      for (let other = 0; other < KEYS; other++) {
        if (other !== k) writer.put(hammerAccount(other, 1, { id: `key_${other}` }), secretsOf(other))
      }
    },
  },
  'its secret gets an end, and its entry is used by others': {
    stays: true,
    change: ({ writer }, k) => {
      writer.put(hammerAccount(k, 1, { id: `key_${k}` }), secretsOf(k, NOW_MS + 1))
      for (let n = 0; n < 12; n++) {
        const others = [...secretsOf((k + 1) % KEYS), { digest: digestOfKey(k + 1, String(n)), validUntilMs: null }]
        writer.put(hammerAccount((k + 1) % KEYS, 1, { id: `key_${(k + 1) % KEYS}` }), others)
      }
    },
  },
  'it is deleted, and its slot, its entry and its memory are used by another': {
    stays: false,
    change: ({ writer }, k) => {
      writer.remove(`key_${k}`)
      for (let other = KEYS; other < 3 * KEYS; other++) {
        writer.put(hammerAccount(other, 1, { id: `key_${other}` }), secretsOf(other))
        if (other < 3 * KEYS - 1) writer.remove(`key_${other}`)
      }
    },
  },
  'it is deleted, and made anew under the same secret': {
    stays: false,
    change: ({ writer }, k) => {
      writer.remove(`key_${k}`)
      writer.put(hammerAccount(k, 3, { id: `key_${k}_new` }), secretsOf(k))
    },
  },
}

for (const [what, { stays, change }] of Object.entries(CHANGES)) {
  test(`at no step of a look-up does it matter that ${what}`, (t) => {
    let steps = 0
    for (let k = 0; k < KEYS; k++) {
      for (let n = 1; ; n++) {
        const rig = setUp()
        const { result, wasReached } = interrupt('load', n, { act: () => rig.find(k), meanwhile: () => change(rig, k) })
        if (!wasReached) break
        steps += 1
        if (stays && result === null) t.fail(`key ${k} not found, step ${n}`)
        if (result === null) continue
        const fault = faultOf(k, result.account)
        if (fault !== null) t.fail(`step ${n}: ${fault}`)
        const isFormer = result.account.id === `key_${k}`
        if (isFormer && !stays && rig.find(k)?.index === result.index) t.fail(`step ${n}: two keys of one index`)
      }
    }
    t.ok(steps > KEYS * 10, `${steps} steps`)
    t.end()
  })

  test(`at no step of the change does a reader see anything that is not whole: ${what}`, (t) => {
    let steps = 0
    for (let k = 0; k < KEYS; k++) {
      for (let n = 1; ; n++) {
        const rig = setUp()
        const { wasReached } = interrupt('store', n, {
          act: () => change(rig, k),
          meanwhile: () => {
            for (let each = 0; each < KEYS; each++) {
              const listed = rig.find(each)
              const fault = listed === null ? null : faultOf(each, listed.account)
              if (fault !== null) t.fail(`step ${n}: ${fault}`)
              if (each === k && stays && listed === null) t.fail(`key ${k} not found, step ${n}`)
            }
          },
        })
        if (!wasReached) break
        steps += 1
      }
    }
    t.ok(steps > KEYS, `${steps} steps`)
    t.end()
  })
}

test('an account that does not change is the same object; one that changes is another; of many, the last ones are kept', (t) => {
  const memory = createDirectoryMemory(20_000)
  const writer = new DirectoryWriter(memory)
  const reader = new DirectoryReader(memory)
  for (let k = 0; k < 10_000; k++) writer.put(hammerAccount(k, 1, { id: `key_${k}` }), [])
  const first = reader.bySlot(0)
  t.equal(reader.bySlot(0), first)
  writer.put(hammerAccount(1, 2, { id: 'key_1' }), [])
  t.equal(reader.bySlot(0), first, 'another one changed')
  for (let k = 1; k < 5000; k++) reader.bySlot(k)
  t.equal(reader.bySlot(0), first, 'of the older half')
  for (let k = 0; k < 10_000; k++) reader.bySlot(k)
  const again = reader.bySlot(0)
  t.not(again, first)
  t.same(again, first)
  writer.put(hammerAccount(0, 2, { id: 'key_0' }), [])
  t.match(reader.bySlot(0), { account: { id: 'key_0', models: ['model-2'] } })
  t.equal(reader.byIndex(again?.index ?? -1)?.index, again?.index, 'its index stays')
  t.end()
})

test('an account is found by its id, which is no secret of it', (t) => {
  const { writer, memory } = setUp()
  const reader = new DirectoryReader(memory)
  t.equal(reader.byId('key_1')?.account.name, 'app1')
  t.equal(reader.byId('key_9'), null)
  t.equal(reader.find(createHash('sha256').update('key_1').digest('hex'), 0), null)
  writer.remove('key_1')
  t.equal(reader.byId('key_1'), null)
  t.end()
})

test('a secret is found until its time, under each of its digests', (t) => {
  const { writer, memory } = setUp()
  const digests = [
    { digest: digestOfKey(0, 'old'), validUntilMs: 2 ** 40 },
    { digest: digestOfKey(0), validUntilMs: null },
  ]
  writer.put(hammerAccount(0, 1, { id: 'key_0' }), digests)
  const reader = new DirectoryReader(memory)
  const find = (digest: string, nowMs: number) => reader.find(digest, nowMs)
  t.equal(find(digestOfKey(0, 'old'), 2 ** 40 - 1)?.account.id, 'key_0')
  t.equal(find(digestOfKey(0, 'old'), 2 ** 40), null)
  t.equal(find(digestOfKey(0), Number.MAX_SAFE_INTEGER)?.account.id, 'key_0')
  t.equal(find(digestOfKey(0, 'unknown'), 0), null)
  writer.put(hammerAccount(0, 1, { id: 'key_0' }), digests.slice(1))
  t.equal(find(digestOfKey(0, 'old'), 0), null)
  t.end()
})
