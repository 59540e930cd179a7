// A process that accepts and runs jobs is killed with SIGKILL at random moments, twenty times over on one file: every job
// that it said it had accepted comes to an end, and none is lost.
import { join } from 'node:path'
import { test } from 'tap'
import { checkSaid, newDirectory, pause, startChild } from '../helpers/job-children.js'

const ROUNDS = Number(process.env.SOAK_ROUNDS ?? 20)
/** After its first accepted job, so that start-up takes none of it. */
const LONGEST_LIFE_MS = 120

test(`killed ${ROUNDS} times at random, no accepted job is lost`, { timeout: 30_000 + ROUNDS * 2000 }, async (t) => {
  const path = join(newDirectory(t), 'jobs.db')
  const file = `${path}.said`
  for (let round = 0; round < ROUNDS; round++) {
    const child = startChild(t, path, file, `${round}`, 'submit')
    await child.signs()
    await pause(Math.random() * LONGEST_LIFE_MS)
    child.process.kill('SIGKILL')
    await child.ended
  }
  t.same(await startChild(t, path, file, 'last', 'finish').ended, [0, null])
  const { accepted, ended } = checkSaid(t, file)
  t.ok(accepted.length > ROUNDS * 4, `${accepted.length} accepted`)
  t.ok(
    [...ended.values()].some(([, attempts]) => Number(attempts) > 1),
    'what was broken off ran again, and its attempts tell',
  )
})
