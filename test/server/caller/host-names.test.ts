// The names by which a listener may be asked for, and those that a page of somebody else could have.
import { test } from 'tap'
import { HostNames } from '../../../src/server/caller/host-names.js'

test('addresses, localhost, names without a dot and listed ones are served, with or without a port', async (t) => {
  const hosts = new HostNames(['gateway.example', 'UPPER.example'])
  const served = [
    ...[
      'localhost',
      'localhost:3000',
      '127.0.0.1',
      '127.0.0.1:3000',
      '10.1.2.3:80',
      '[::1]',
      '[::1]:3000',
      '[fe80::1]',
    ],
    ...['gateway.example', 'Gateway.Example:3000', 'upper.example', 'sluice', 'sluice:3000', 'x', 'app.localhost'],
  ]
  for (const host of served) t.ok(hosts.has(host), host)
})

test('other names are not, whatever they look like', async (t) => {
  const hosts = new HostNames(['gateway.example'])
  const foreign = [
    ...['evil.example', 'evil.example:3000', '127.0.0.1.evil.example', 'localhost.evil.example', 'localhost.'],
    ...['gateway.example.evil.example', 'x.gateway.example', '127.0.0.1.', '[::1].evil', '[evil.example]', '1.2.3'],
  ]
  for (const host of foreign) t.notOk(hosts.has(host), host)
  t.ok(hosts.has('gateway.example'))
  t.notOk(hosts.has('evil.example'), 'not after one that is served, either')
})
