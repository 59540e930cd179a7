// Forms as the simulator reads them.
import { test } from 'tap'
import { boundaryOf, readForm } from '../../../src/simulator/endpoints/form.js'

test('fields are texts, files are lengths', (t) => {
  t.equal(boundaryOf('multipart/form-data; boundary=b'), 'b')
  t.equal(boundaryOf('application/json'), null)
  const part = (head: string, content: string) => `--b\r\ncontent-disposition: form-data; ${head}\r\n\r\n${content}\r\n`
  const body = `${part('name="a"', 'ż')}${part('name="file"; filename="x"', '12345')}--b--\r\n`
  t.same(readForm(Buffer.from(body), 'b'), { fields: { a: 'ż' }, files: { file: 5 } })
  t.end()
})
