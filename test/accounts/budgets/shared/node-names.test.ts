// Whose a journal is, by its name.
import { test } from 'tap'
import { nameOfNode, nodeOf } from '../../../../src/accounts/budgets/shared/node-names.js'

test("a journal of one of several nodes bears its name; of one alone it is nobody's", (t) => {
  t.equal(nodeOf(nameOfNode('0b5a-77', 'c3d1-12')), '0b5a-77')
  t.equal(nodeOf(nameOfNode(null, 'c3d1-12')), null)
  t.not(nameOfNode('a', 'x'), nameOfNode('b', 'x'))
  t.end()
})
