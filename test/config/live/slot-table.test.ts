// SlotIndexes in shared memory: kept for the life of a process, whatever is reloaded.
import { test } from 'tap'
import { continueLedger, openLedger } from '../../../src/config/live/slot-table.js'
import { type Config } from '../../../src/config/types.js'
import { refusalOf } from '../../helpers/limiter-setup.js'
import { load } from '../sources.js'

const yaml = (keys: readonly string[], providers: readonly string[], models: readonly string[]): string =>
  JSON.stringify({
    keys: keys.map((name) => ({ name, key: `key-of-${name}-0123456789` })),
    providers: Object.fromEntries(
      providers.map((name) => [
        name,
        { protocol: 'openai-chat', baseUrl: 'http://127.0.0.1:9/v1', models: [`${name}-m`] },
      ]),
    ),
    models: Object.fromEntries(models.map((name) => [name, `${providers[0]}/x`])),
  })
const configOf = (...lists: Parameters<typeof yaml>): Config => load(yaml(...lists)).config

test('a name keeps its place when others come and go', (t) => {
  const first = openLedger(configOf(['a', 'b'], ['p', 'q'], ['m']))
  t.same(first.keys, ['a', 'b'])
  t.same(first.providers, ['p', 'q'])
  t.same(first.models, ['m', 'p-m', 'q-m'])
  const second = continueLedger(first, configOf(['c', 'b'], ['q', 'r'], ['n']))
  t.same(second.keys, ['a', 'b', 'c'])
  t.same(second.providers, ['p', 'q', 'r'])
  t.same(second.models, ['m', 'p-m', 'q-m', 'n', 'r-m'])
  t.same(second.room, first.room, 'the room is that of the start')
  t.same(continueLedger(second, configOf(['a'], ['p'], [])), second)
  t.end()
})

test('what does not fit is refused, but for models, which count as others', (t) => {
  const first = openLedger(configOf(['a'], ['p'], ['m']))
  const full = { ...first, room: { keys: 1, providers: 1, models: 2, targets: 2 } }
  t.match(
    refusalOf(() => continueLedger(full, configOf(['b'], ['p'], []))),
    { code: 'misconfigured', message: /Restart/ },
  )
  t.match(
    refusalOf(() => continueLedger(full, configOf(['a'], ['q'], []))),
    { code: 'misconfigured' },
  )
  t.same(continueLedger(full, configOf(['a'], ['p'], ['n'])).models, ['m', 'p-m'])
  t.match(
    refusalOf(() => continueLedger(full, configOf(['a'], ['p'], ['n', 'o']))),
    { code: 'misconfigured' },
    'limits of targets have cells of their own',
  )
  t.end()
})
