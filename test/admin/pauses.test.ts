// Pauses of providers: on all event loops, in the database, and from there on other nodes and after a start.
import { test } from 'tap'
import { Pauses } from '../../src/admin/pauses.js'
import { GatewayError } from '../../src/errors.js'
import { rejectionOf } from '../helpers/thrown.js'

/** A database and event loops that fail when they are told to. */
function setUp(isShared = true, stored: string[] = []) {
  const state = { stored: new Set(stored), applied: [] as string[][], isAway: false, isSilent: false, reads: 0 }
  const away = (): void => {
    if (state.isAway) throw new GatewayError('overloaded')
  }
  const store = {
    async listPaused() {
      away()
      state.reads += 1
      return [...state.stored]
    },
    async setPaused(name: string, isPaused: boolean, { by }: { readonly by: string }) {
      away()
      if (by !== 'oncall') throw new Error('who?')
      if (isPaused) state.stored.add(name)
      else state.stored.delete(name)
    },
  }
  const pauses = new Pauses({
    ...{ store: () => store, isShared },
    async apply(providers) {
      if (state.isSilent) throw new GatewayError('overloaded')
      state.applied.push([...providers])
    },
  })
  return { pauses, state }
}

test('a pause holds on all loops and is stored; another node takes it over, and its end', async (t) => {
  const { pauses, state } = setUp()
  await pauses.set('north', true, 'oncall')
  t.same([...state.stored], ['north'])
  t.same(state.applied, [['north']])
  await pauses.sync()
  t.same(state.applied, [['north']], 'nothing new')
  // As another node does.
  state.stored.add('south')
  state.stored.delete('north')
  await pauses.sync()
  t.same(state.applied.at(-1), ['south'])
  t.same([pauses.has('north'), pauses.has('south')], [false, true])
})

test('after a start the stored pauses hold as soon as the loops answer; a database of this process alone is read once', async (t) => {
  const { pauses, state } = setUp(false, ['north'])
  state.isSilent = true
  await pauses.sync()
  t.same(state.applied, [])
  t.equal(pauses.has('north'), true)
  state.isSilent = false
  await pauses.sync()
  await pauses.sync()
  t.same(state.applied, [['north']])
  t.equal(state.reads, 1)
})

test('while the database is away a pause holds all the same, and is stored when it is back, before anything is read', async (t) => {
  const { pauses, state } = setUp(true, ['south'])
  await pauses.sync()
  state.isAway = true
  await pauses.set('north', true, 'oncall')
  await pauses.set('south', false, 'oncall')
  await pauses.sync()
  t.same(state.applied.at(-1), ['north'])
  state.isAway = false
  await pauses.sync()
  t.same([...state.stored], ['north'])
  t.same(state.applied.at(-1), ['north'])
})

test('a loop that does not answer is an error of the call, and is told again', async (t) => {
  const { pauses, state } = setUp()
  state.isSilent = true
  t.match(await rejectionOf(pauses.set('north', true, 'oncall')), { code: 'overloaded' })
  t.equal(pauses.has('north'), true)
  state.isSilent = false
  await pauses.sync()
  t.same(state.applied, [['north']])
  t.same([...state.stored], ['north'])
})

test('without a database pauses end with the process', async (t) => {
  const applied: string[][] = []
  const pauses = new Pauses({
    ...{ store: () => null, isShared: false },
    apply: async (providers) => void applied.push([...providers]),
  })
  await pauses.set('north', true, 'oncall')
  await pauses.sync()
  t.equal(pauses.has('north'), true)
  await pauses.set('north', false, 'oncall')
  t.same(applied, [['north'], []])
})
