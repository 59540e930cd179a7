// Addresses within the console.
import { test } from 'tap'
import { placeHref, readPlace } from '../../../src/console/shell/place.js'

test('a place is what its address says, whatever is in a name', async (t) => {
  for (const [part, query] of [
    ['', {}],
    ['req/1?a=b#c', { outcome: 'failed', find: 'a b&c=ü' }],
    ['%41', { a: '%' }],
  ] as const) {
    const place = readPlace(placeHref('requests', part, query))
    t.same([place.screen, place.part, Object.fromEntries(place.query)], ['requests', part, query])
  }
})

test('empty members are left out, and no address is no screen', async (t) => {
  t.equal(placeHref('live', '', { find: '' }), '#/live')
  t.match(readPlace(''), { screen: '', part: '' })
  t.match(readPlace('#/requests/50%'), { screen: 'requests', part: '50%' })
  t.match(readPlace('#/live'), { screen: 'live', part: '' })
})
