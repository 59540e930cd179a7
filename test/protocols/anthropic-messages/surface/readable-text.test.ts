// What of a block of the vendor's own tools a reader can use.
import { test } from 'tap'
import { readableText } from '../../../../src/protocols/anthropic-messages/surface/readable-text.js'

test('titles, addresses and texts stay in their order, a line each', async (t) => {
  const content = [
    { type: 'web_search_result', title: 'Elbe', url: 'https://e.example', page_age: '2 days', encrypted_content: 'Eq' },
    { type: 'text', text: 'A river.' },
  ]
  t.equal(readableText({ type: 'x', tool_use_id: 'id', content }), 'Elbe\nhttps://e.example\n2 days\nA river.')
})

test('the output of a program and the text of a fetched page can be read, bytes cannot', async (t) => {
  const output = { type: 'code_execution_result', stdout: '42', stderr: 'warned', return_code: 0 }
  t.equal(readableText({ type: 'code_execution_tool_result', content: output }), '42\nwarned')
  const page = { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'Rivers.' } }
  t.equal(readableText({ type: 'web_fetch_tool_result', content: page }), 'Rivers.')
  const pdf = { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBE' } }
  t.equal(readableText({ content: pdf }), '')
})

test('an error says its code, and what holds nothing readable is empty', async (t) => {
  t.equal(readableText({ content: { type: 'web_search_tool_result_error', error_code: 'max_uses' } }), 'max_uses')
  t.equal(readableText({ type: 'container_upload', file_id: 'f' }), '')
  t.equal(readableText('text'), '')
})
