// A request of the playground as code to paste: for a shell, JavaScript, Python; none of them needs a package.
import { type ChatApi } from './chat-api.js'

export type CopiedRequest = {
  readonly url: string
  readonly body: object
  readonly api: Pick<ChatApi, 'textOf' | 'framing'>
  /** The gateway has keys: the code reads one from the environment. */
  readonly needsKey: boolean
}
type PostedText = { readonly url: string; readonly text: string; readonly needsKey: boolean }
export type CopyLanguage = 'curl' | 'JavaScript' | 'Python'

export const COPY_LANGUAGES: readonly CopyLanguage[] = ['curl', 'JavaScript', 'Python']

/** The code. */
export function codeOf(language: CopyLanguage, request: CopiedRequest): string {
  switch (language) {
    case 'curl':
      return curlOf(request)
    case 'JavaScript':
      return scriptOf(request)
    case 'Python':
      return pythonOf(request)
  }
}

function curlOf({ url, body, needsKey }: CopiedRequest): string {
  return postAsCurl({ url, text: JSON.stringify(body), needsKey })
}

/** A request whose body is this text, as a command for a shell. */
export function postAsCurl({ url, text, needsKey }: PostedText): string {
  const auth = needsKey ? ' -H "authorization: Bearer $SLUICE_KEY"' : ''
  return `curl -N ${quoted(url)} -H 'content-type: application/json'${auth} -d ${quoted(text)}`
}

/** In a shell nothing within single quotes has a meaning but the quote itself. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

function scriptOf({ url, body, needsKey, api }: CopiedRequest): string {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the template of the copied code
  const auth = needsKey ? ', authorization: `Bearer ${process.env.SLUICE_KEY}`' : ''
  const before = beforeData(api)
  return `const response = await fetch(${JSON.stringify(url)}, {
  method: 'POST',
  headers: { 'content-type': 'application/json'${auth} },
  body: JSON.stringify(${JSON.stringify(body)}),
})
const decoder = new TextDecoder()
let rest = ''
for await (const bytes of response.body) {
  const lines = (rest + decoder.decode(bytes, { stream: true })).split('\\n')
  rest = lines.pop()
  for (const line of lines) {
    if (!line.startsWith('${before}{')) continue
    const event = JSON.parse(line${before === '' ? '' : `.slice(${before.length})`})
    process.stdout.write(${api.textOf.JavaScript})
  }
}
`
}

function pythonOf({ url, body, needsKey, api }: CopiedRequest): string {
  const auth = needsKey ? ', "authorization": "Bearer " + os.environ["SLUICE_KEY"]' : ''
  const before = beforeData(api)
  return `import json${needsKey ? ', os' : ''}, urllib.request

body = json.loads(${JSON.stringify(JSON.stringify(body))})
headers = {"content-type": "application/json"${auth}}
request = urllib.request.Request(${JSON.stringify(url)}, json.dumps(body).encode(), headers)
with urllib.request.urlopen(request) as response:
    for line in response:
        if line.startswith(b"${before}{"):
            event = json.loads(line${before === '' ? '' : `[${before.length}:]`})
            print(${api.textOf.Python}, end="", flush=True)
`
}

/** What stands before the JSON of an event on its line. */
function beforeData({ framing }: Pick<ChatApi, 'framing'>): string {
  return framing === 'sse' ? 'data: ' : ''
}
