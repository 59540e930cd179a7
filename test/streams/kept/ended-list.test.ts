// The order of ended streams, whoever leaves.
import fc from 'fast-check'
import { test } from 'tap'
import { EndedList, type Link } from '../../../src/streams/kept/ended-list.js'

test('keeps the order in which they came, whoever leaves', (t) => {
  const step = fc.oneof(fc.constant('add' as const), fc.nat({ max: 30 }))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const list = new EndedList<number>()
      const links: Link<number>[] = []
      let model: number[] = []
      for (const each of steps) {
        if (each === 'add') {
          model.push(links.length)
          links.push(list.add(links.length))
          continue
        }
        const link = links[each]
        if (link === undefined) continue
        list.remove(link)
        model = model.filter((value) => value !== each)
        if (list.oldest !== (model[0] ?? null)) return false
      }
      const walked: number[] = []
      list.find((value) => walked.push(value) < 0)
      const even = list.find((value) => value % 2 === 0)
      return walked.join() === model.join() && even === (model.find((value) => value % 2 === 0) ?? null)
    }),
  )
  t.end()
})
