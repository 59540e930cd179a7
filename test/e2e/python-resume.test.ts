// The transport of docs/guide/client-library-python.md under the official Python client, over connections that are cut at random. It is
// taken from the page as its readers take it. Skipped where python3 has no openai.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { test } from 'tap'
import { cutsBy, wordsOf } from '../helpers/cut-clients.js'
import { startCuttingProxy } from '../helpers/cutting-proxy.js'
import { chatFrames, KeptStreams } from '../helpers/kept-streams.js'
import { fencedBlocks } from '../helpers/markdown.js'
import { Random } from '../helpers/random.js'
import { readText } from '../helpers/source-tree.js'

const run = promisify(execFile)

const STREAMS = 30

/** Reads a number of streams whole, then stops one in its middle, then loses one; by each of the two clients. */
const PROGRAM = `
import asyncio, json, sys
from openai import AsyncOpenAI, OpenAI
from resuming import AsyncResumingTransport, ResumingTransport, StreamLostError, httpx

how, origin = sys.argv[1:]
texts = json.load(sys.stdin)
options = dict(base_url=origin + "/v1", api_key="key", max_retries=0)
timeout = httpx.Timeout(60, read=10)

def asked(text):
    return dict(model="m", stream=True, messages=[{"role": "user", "content": text}])

def say(text):
    print(json.dumps(text))

def run():
    http = httpx.Client(transport=ResumingTransport(max_offline_s=20), timeout=timeout)
    chats = OpenAI(http_client=http, **options).chat.completions
    for text in texts:
        say("".join(chunk.choices[0].delta.content or "" for chunk in chats.create(**asked(text))))
    stopped = chats.create(**asked("stop"))
    next(iter(stopped))
    stopped.close()
    try:
        say("".join(chunk.choices[0].delta.content or "" for chunk in chats.create(**asked("lose"))))
    except StreamLostError as error:
        say(f"lost: {error}")

async def run_async():
    http = httpx.AsyncClient(transport=AsyncResumingTransport(max_offline_s=20), timeout=timeout)
    chats = AsyncOpenAI(http_client=http, **options).chat.completions
    async def read(text):
        return "".join([chunk.choices[0].delta.content or "" async for chunk in await chats.create(**asked(text))])
    for text in await asyncio.gather(*[read(text) for text in texts]):
        say(text)
    stopped = await chats.create(**asked("stop"))
    await anext(aiter(stopped))
    await stopped.close()
    try:
        say(await read("lose"))
    except StreamLostError as error:
        say(f"lost: {error}")

run() if how == "sync" else asyncio.run(run_async())
`

test('the Python client reads every word once over cut connections, stops when it is closed, and says what is lost', async (t) => {
  const [transport] = fencedBlocks(readText('docs/guide/client-library-python.md'))
  t.match(transport?.text, /^class ResumingTransport\(/m)
  const isThere = await run('python3', ['-c', 'import openai']).then(
    () => true,
    () => false,
  )
  if (!isThere) {
    t.pass('runs', { skip: 'python3 has no openai' })
    return
  }
  const random = Random.ofRun()
  const texts = Array.from({ length: STREAMS }, () => wordsOf(random, 60))
  const folder = t.testdir({
    'resuming.py': transport?.text ?? '',
    'program.py': PROGRAM,
    'texts.json': JSON.stringify(texts),
  })
  for (const how of ['sync', 'async']) {
    const kept: KeptStreams = await KeptStreams.start(t, {
      play: (stream, body) => {
        const text: string = JSON.parse(body).messages[0].content
        stream.push(...chatFrames(text.split(/(?<= )/)))
        if (text === 'lose') stream.frames.length = 1
        if (text !== 'stop') stream.end()
      },
      intercept: ({ method, url }, res) => {
        const isLost = method === 'GET' && kept.streams.get(url.split('/').at(-1) ?? '')?.frames.length === 1
        if (isLost) res.writeHead(404).end()
        return isLost
      },
    })
    const cut = cutsBy(random)
    const proxy = await startCuttingProxy(t, kept.port, () => cut())
    const command = `python3 program.py ${how} ${proxy.origin} <texts.json`
    const { stdout } = await run('bash', ['-c', command], { cwd: folder })
    const said = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    t.same(said.slice(0, STREAMS), texts, `${how}, SEED=${random.seed}`)
    t.match(said[STREAMS], /^lost: The rest of the answer after 0 is lost \(status 404\)/)
    t.ok(proxy.counts.cut > STREAMS / 2, `${proxy.counts.cut} cuts`)
    t.equal(kept.streams.size, STREAMS + 2, 'no request was made twice')
    t.ok([...kept.streams.values()].at(-2)?.isCancelled)
  }
})
