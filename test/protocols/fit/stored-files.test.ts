// Files of the shared account: found wherever a turn may name one, and nowhere else.
import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { STORED_FILES as ANTHROPIC } from '../../../src/protocols/anthropic-messages/dialect/encode-request.js'
import { refuseStoredFiles, type StoredFiles } from '../../../src/protocols/fit/stored-files.js'
import { STORED_FILES as GEMINI } from '../../../src/protocols/google-gemini/dialect/edit-request.js'
import { STORED_FILES as OPENAI } from '../../../src/protocols/openai-chat/dialect/edit-request.js'
import { thrownBy } from '../../helpers/thrown.js'

const refusedAt = (files: StoredFiles, body: JsonObject): string | null => {
  const error = thrownBy(() => refuseStoredFiles(body, files))
  if (error.code !== 'invalid_request') throw new Error(error.code)
  return error.param
}
const passes = (files: StoredFiles, body: JsonObject): true => {
  refuseStoredFiles(body, files)
  return true
}

test('a file of an OpenAI message is found by its id; bytes and arguments are none', async (t) => {
  const turn = (part: JsonObject) => ({ messages: [{ role: 'user', content: ['x', part] }] })
  const named = turn({ type: 'file', file: { file_id: 'file-1' } })
  t.equal(refusedAt(OPENAI, named), 'messages.0.content.1.file.file_id')
  t.match(
    thrownBy(() => refuseStoredFiles(named, OPENAI)),
    { status: 400, ownCode: 'unsupported_parameter' },
  )
  t.ok(passes(OPENAI, turn({ type: 'file', file: { file_data: 'JVBERi0=' } })))
  const call = { function: { name: 'f', arguments: { file: { file_id: 'mine' } } } }
  t.ok(passes(OPENAI, { messages: [{ role: 'assistant', tool_calls: [call] }], tools: [{ file: { file_id: 'x' } }] }))
})

test('a file of an Anthropic block is found in documents, images, results and uploads', async (t) => {
  const source = { type: 'file', file_id: 'file_1' }
  const turn = (...content: JsonObject[]) => ({ messages: [{ role: 'user', content }] })
  t.equal(refusedAt(ANTHROPIC, turn({ type: 'image', source })), 'messages.0.content.0.source.file_id')
  const result = { type: 'tool_result', tool_use_id: 't', content: [{ type: 'document', source }] }
  t.equal(refusedAt(ANTHROPIC, turn(result)), 'messages.0.content.0.content.0.source.file_id')
  const upload = { type: 'container_upload', file_id: 'file_1' }
  t.equal(refusedAt(ANTHROPIC, turn({ type: 'text', text: 'x' }, upload)), 'messages.0.content.1.file_id')
  const made = { type: 'code_execution_output', file_id: 'file_2' }
  const call = { type: 'tool_use', id: 't', name: 'f', input: { source } }
  t.ok(passes(ANTHROPIC, turn({ type: 'code_execution_tool_result', content: [made] }, call)))
  t.ok(passes(ANTHROPIC, { messages: 'none' }))
})

test('a file of Gemini is found in both spellings; a page that everybody can read is none', async (t) => {
  const uri = 'https://generativelanguage.googleapis.com/v1beta/files/abc'
  const turn = (part: JsonObject) => ({ contents: [{ role: 'user', parts: [part] }] })
  t.equal(refusedAt(GEMINI, turn({ fileData: { fileUri: uri } })), 'contents.0.parts.0.fileData.fileUri')
  t.equal(refusedAt(GEMINI, turn({ file_data: { file_uri: 'gs://b/x' } })), 'contents.0.parts.0.file_data.file_uri')
  const nested = turn({ functionResponse: { name: 'f', response: {}, parts: [{ fileData: { fileUri: uri } }] } })
  t.equal(refusedAt(GEMINI, nested), 'contents.0.parts.0.functionResponse.parts.0.fileData.fileUri')
  t.ok(passes(GEMINI, turn({ fileData: { fileUri: 'https://example.org/a.png' } })))
  t.ok(passes(GEMINI, turn({ functionCall: { name: 'f', args: { fileData: { fileUri: uri } } } })))
  t.ok(passes(GEMINI, turn({ functionResponse: { name: 'f', response: { fileData: { fileUri: uri } } } })))
})
