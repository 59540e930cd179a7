// What is read of a form, and the edits of its bytes.
import { test } from 'tap'
import { editForm, readForm } from '../../../src/protocols/endpoints/form.js'
import { thrownBy } from '../../helpers/thrown.js'

const TYPE = 'multipart/form-data; boundary=b'
const field = (name: string, value: string, more = '') => {
  return `--b\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`
}
const FILE = field('file', 'x'.repeat(4000), '; filename="a"')
const read = (text: string, hasImages = false) => readForm(Buffer.from(`${text}--b--`), TYPE, hasImages)

function edited(text: string, name: string): string {
  const body = Buffer.from(`${text}--b--`)
  return Buffer.concat(editForm(body, readForm(body, TYPE, false).form, name)).toString()
}

test('the fields that matter are read, and files are only counted, where they cost tokens', (t) => {
  const { fields, estimatedTokens } = read(
    FILE + field('model', 'm') + field('stream', 'true') + field('prompt', 'p'.repeat(395)),
  )
  t.same(fields, { model: 'm', stream: true })
  t.equal(estimatedTokens, 100)
  t.equal(read(FILE + FILE, true).estimatedTokens, 2000)
  t.same(read(field('stream', 'false')).fields, { stream: false })
  t.end()
})

test('the model is replaced where it is, before or behind the file, or added', (t) => {
  t.equal(edited(FILE + field('model', 'mine'), 'theirs'), `${FILE}${field('model', 'theirs')}--b--`)
  t.equal(edited(field('model', 'mine') + FILE, 'a'), `${field('model', 'a')}${FILE}--b--`)
  t.equal(edited(FILE, 'a'), `${field('model', 'a')}${FILE}--b--`)
  t.equal(edited(field('provider', 'p') + FILE + field('model', 'b'), 'a'), `${FILE}${field('model', 'a')}--b--`)
  t.end()
})

test('what is read must be one short field of text', (t) => {
  const refusal = (text: string) => thrownBy(() => read(text))
  t.match(refusal(field('model', 'a') + field('model', 'b')), { param: 'model', code: 'invalid_request' })
  t.match(refusal(field('Model', 'a')), { param: 'model' })
  t.match(refusal(field('model', 'a', '; filename="x"')), { param: 'model' })
  t.match(refusal(field('model', 'a'.repeat(1025))), { param: 'model' })
  t.match(refusal(field('model', 'a\r\nb')), { message: /control characters/ })
  const bytes = Buffer.from(`${field('model', 'a\xff')}--b--`, 'latin1')
  t.match(
    thrownBy(() => readForm(bytes, TYPE, false)),
    { message: /must be UTF-8/, param: 'model' },
  )
  t.match(
    thrownBy(() => readForm(Buffer.from('x'), 'multipart/form-data', false)),
    { message: /no valid boundary/ },
  )
  t.end()
})

test('a field that may select another model is named, as in JSON', (t) => {
  t.equal(read(field('model', 'm') + field('models[]', 'x')).selector, 'models')
  t.equal(read(field('model', 'm') + field('Route', 'x')).selector, 'Route')
  for (const name of ['model[]', 'model[0]', 'request.model', 'request[model]']) {
    t.equal(read(field('model', 'm') + field(name, 'x')).selector, name)
  }
  t.notOk('selector' in read(field('model', 'm') + field('timestamp_granularities[]', 'x')))
  t.notOk('selector' in read(field('model', 'm') + field('prompt', 'x')))
  t.end()
})
