// The word by which event loops know how well keys are known.
import { test } from 'tap'
import { createDirectoryMemory } from '../../../src/accounts/directory/memory.js'
import { Standing } from '../../../src/accounts/directory/standing.js'

test('what the thread says is seen by every other view of the same memory', (t) => {
  const { standing: memory } = createDirectoryMemory(1)
  const [thread, loop] = [new Standing(memory), new Standing(memory)]
  const seen = () => [loop.isAway, loop.isStale, loop.isWithoutSpend]
  t.same(seen(), [false, false, false], 'a file of this process alone')
  thread.doubt({ isStale: false, isWithoutSpend: false })
  t.same(seen(), [true, false, false])
  thread.doubt({ isStale: true, isWithoutSpend: false })
  t.same(seen(), [true, true, false])
  thread.doubt({ isStale: false, isWithoutSpend: true })
  t.same(seen(), [true, false, true])
  thread.prove()
  t.same(seen(), [false, false, false])
  t.end()
})
