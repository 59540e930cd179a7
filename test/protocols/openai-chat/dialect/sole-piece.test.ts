// The one piece of text of a chunk.
import { test } from 'tap'
import { SolePiece } from '../../../../src/protocols/openai-chat/dialect/sole-piece.js'

const CALL = { index: 0, id: 'call_1', name: 'look', arguments: '{"a"' }
const CITATION = [{ type: 'url_citation', url_citation: { url: 'https://example.com' } }]

function pieceOf(take: (sole: SolePiece) => void) {
  const sole = new SolePiece()
  take(sole)
  return sole.piece
}

test('one text, or one fragment of a call, is the piece of its chunk', async (t) => {
  t.same(
    pieceOf((sole) => sole.text('reasoning', 'so')),
    { kind: 'reasoning', call: null, text: 'so' },
  )
  t.same(
    pieceOf((sole) => sole.call(CALL)),
    { kind: 'call', call: CALL, text: '{"a"' },
  )
})

test('what the blocks ignore is no piece: empty texts, and no citations', async (t) => {
  const piece = pieceOf((sole) => {
    sole.text('reasoning', '')
    sole.text('text', 'so')
    sole.text('refusal', '')
    sole.cite([])
    sole.cite(null)
  })
  t.same(piece, { kind: 'text', call: null, text: 'so' })
})

test('a chunk with nothing, with more, or with anything else has no piece', async (t) => {
  t.equal(
    pieceOf(() => undefined),
    null,
  )
  t.equal(
    pieceOf((sole) => sole.image()),
    null,
  )
  t.equal(
    pieceOf((sole) => sole.cite(CITATION)),
    null,
  )
  const others: ((sole: SolePiece) => void)[] = [
    (sole) => sole.text('reasoning', 'so'),
    (sole) => sole.call({ ...CALL, arguments: '' }),
    (sole) => sole.cite(CITATION),
    (sole) => sole.image(),
  ]
  for (const other of others) {
    const piece = pieceOf((sole) => {
      sole.text('text', 'so')
      other(sole)
    })
    t.equal(piece, null)
  }
})
