// The flags are V8's own: a name it does not know would be ignored in silence, so it is asked for by name.
import { spawnSync } from 'node:child_process'
import { test } from 'tap'
import { COLLECTOR_FLAGS, tuneCollector } from '../../src/threads/collector.js'

test('V8 still knows each flag that is set', (t) => {
  tuneCollector()
  const { stdout } = spawnSync(process.execPath, ['--v8-options'], { encoding: 'utf8' })
  for (const flag of COLLECTOR_FLAGS) t.match(stdout, new RegExp(`--${nameOf(flag)} `), flag)
  t.end()
})

function nameOf(flag: string): string {
  return flag.replace(/^--(no-)?/, '').replace(/=.*/, '')
}
