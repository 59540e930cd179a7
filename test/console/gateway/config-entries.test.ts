// The configuration as a list of options with their places.
import { test } from 'tap'
import { entriesOf } from '../../../src/console/gateway/config-entries.js'

test('each option has its value and where it was set, or where what it is part of was', async (t) => {
  const config = {
    server: { port: 3000, cors: { origins: [] } },
    keys: [{ name: 'a', models: ['*', 'b'] }],
    providers: { sim: { headers: {}, apiKey: null } },
  }
  const entries = entriesOf(config, { 'server.port': 'PORT', 'keys.0': 'sluice.yaml:3' })
  t.same(
    entries.map(({ path, value, origin }) => `${path} ${value} ${origin}`),
    [
      'server.port 3000 PORT',
      'server.cors.origins [] null',
      'keys.0.name "a" sluice.yaml:3',
      'keys.0.models ["*","b"] sluice.yaml:3',
      'providers.sim.headers {} null',
      'providers.sim.apiKey null null',
    ],
  )
})

test('what is null in a part that somebody has set is a default, unless it was set itself', async (t) => {
  const config = { models: { fast: { provider: 'north', weight: null, body: null } } }
  const origins = { 'models.fast': 'sluice.yaml:3', 'models.fast.body': 'sluice.yaml:4' }
  t.same(
    entriesOf(config, origins).map(({ path, origin }) => [path, origin]),
    [
      ['models.fast.provider', 'sluice.yaml:3'],
      ['models.fast.weight', null],
      ['models.fast.body', 'sluice.yaml:4'],
    ],
  )
})
