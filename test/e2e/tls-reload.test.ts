// A renewed certificate is taken over by a reload: new connections get it, open ones go on, and a broken one changes nothing.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { type Test, test } from 'tap'
import { Agent, request } from 'undici'
import { Authority, type Issued } from '../helpers/certificates.js'
import { MAIN, ROOT, type Running, startGateway } from '../helpers/gateway.js'

const RENEWALS = 5
const CLIENTS = 4
const MAX_TRIES = 100
const MOST_RESET = 2
const RESET = 'reset'

type Rig = {
  readonly authority: Authority
  readonly gateway: Running
  readonly agent: Agent
  put(issued: Issued): void
}

async function setUp(t: Test, threads = 1): Promise<Rig> {
  const authority = new Authority(t)
  const [certFile, keyFile] = [join(authority.folder, 'live.crt'), join(authority.folder, 'live.key')]
  const put = (issued: Issued): void => {
    copyFileSync(issued.certFile, certFile)
    copyFileSync(issued.keyFile, keyFile)
  }
  put(authority.issue('number-0'))
  const gateway = await startGateway(t, { config: { server: { threads, tls: { certFile, keyFile } } } })
  const agent = new Agent({ connect: { ca: authority.ca } })
  t.teardown(() => agent.destroy())
  return { authority, gateway, agent, put }
}

/** Name in the certificate that a new connection is shown. */
async function nameShown({ gateway, authority }: Rig): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(gateway.origin).port), ca: authority.ca })
  await once(socket, 'secureConnect')
  const { subject } = socket.getPeerCertificate()
  socket.destroy()
  return String(subject.CN)
}

/** The same, but RESET where the system reset the connection: it may, in the very moment in which the port changes over. */
async function nameOrReset(rig: Rig): Promise<string> {
  return nameShown(rig).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ECONNRESET') throw error
    return RESET
  })
}

/** A loop takes another certificate a moment after it has said so. */
async function untilShown(t: Test, rig: Rig, name: string): Promise<void> {
  let shown = ''
  let resets = 0
  for (let tries = 0; tries < MAX_TRIES && shown !== name; tries++) {
    shown = await nameOrReset(rig)
    if (shown === RESET) resets++
  }
  t.equal(shown, name)
  t.ok(resets <= MOST_RESET, `${resets} reset`)
}

async function reload({ gateway }: Rig, word: RegExp): Promise<void> {
  const before = gateway.lines.length
  gateway.child.kill('SIGHUP')
  await gateway.logLine((line) => gateway.lines.indexOf(line) >= before && word.test(String(line.msg)))
}

function chat({ gateway, agent }: Rig) {
  return request(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    dispatcher: agent,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'sim/lorem-max',
      stream: true,
      max_tokens: 80,
      messages: [{ role: 'user', content: 'Go' }],
    }),
  })
}

test('new connections get the renewed certificate, and open streams continue', async (t) => {
  const rig = await setUp(t)
  t.equal(await nameShown(rig), 'number-0')
  const { body } = await chat(rig)
  const reader = body[Symbol.asyncIterator]()
  await reader.next()
  for (let i = 1; i <= RENEWALS; i++) {
    rig.put(rig.authority.issue(`number-${i}`))
    await reload(rig, /^configuration reloaded$/)
    await untilShown(t, rig, `number-${i}`)
  }
  t.notOk(
    rig.gateway.lines.some(({ msg }) => /need a restart/.test(String(msg))),
    'no line says that a certificate that was taken over needs a restart',
  )
  let text = ''
  for (let part = await reader.next(); part.done !== true; part = await reader.next()) text += String(part.value)
  t.match(text, /\[DONE\]/, 'the stream of the first certificate ends as it should')
  const { statusCode, body: livez } = await request(`${rig.gateway.origin}/livez`, { dispatcher: rig.agent })
  await livez.dump()
  t.equal(statusCode, 200, 'its connection is served on')
  t.equal(await rig.gateway.stop(), 0)
})

test('clients that connect all the while are served, by one certificate or the other', async (t) => {
  const rig = await setUp(t)
  let isOver = false
  const seen = new Map<string, number>()
  const note = (what: string): unknown => seen.set(what, (seen.get(what) ?? 0) + 1)
  const client = async (): Promise<void> => {
    while (!isOver) await nameShown(rig).then(note, (error: NodeJS.ErrnoException) => note(`failed: ${error.code}`))
  }
  const clients = Array.from({ length: CLIENTS }, client)
  for (let i = 1; i <= RENEWALS; i++) {
    rig.put(rig.authority.issue(`number-${i}`))
    await reload(rig, /^configuration reloaded$/)
  }
  isOver = true
  await Promise.all(clients)
  t.comment(JSON.stringify([...seen]))
  const failed = [...seen].filter(([what]) => what.startsWith('failed')).reduce((sum, [, count]) => sum + count, 0)
  // The system may reset connections that arrive at that moment: one per client and change. A port that stayed closed would refuse
  // them again and again. listener.test.ts checks that the listener closes at the right moment.
  t.ok(failed <= CLIENTS * RENEWALS, `${failed} failed`)
  await untilShown(t, rig, `number-${RENEWALS}`)
})

test('a certificate without its key, or no certificate at all, changes nothing', async (t) => {
  const rig = await setUp(t)
  const other = rig.authority.issue('other')
  rig.put({ ...other, keyFile: rig.authority.issue('third').keyFile })
  await reload(rig, /refused|rejected/)
  t.equal(await nameShown(rig), 'number-0')
  rig.put(other)
  await reload(rig, /^configuration reloaded$/)
  await untilShown(t, rig, 'other')
})

test('every event loop takes the renewed certificate', async (t) => {
  const rig = await setUp(t, 2)
  rig.put(rig.authority.issue('number-1'))
  await reload(rig, /^configuration reloaded$/)
  // The kernel spreads connections over the loops: so many in a row are none of another's.
  let inRow = 0
  for (let tries = 0; tries < MAX_TRIES * 4 && inRow < 20; tries++) {
    inRow = (await nameOrReset(rig)) === 'number-1' ? inRow + 1 : 0
  }
  t.equal(inRow, 20)
})

test('a certificate that has expired is warned of by check, at the start and by a reload that changes nothing', async (t) => {
  const of = (ending: string): string => join(ROOT, `test/fixtures/tls/expired.${ending}`)
  const server = { port: 0, tls: { certFile: of('crt'), keyFile: of('key') } }
  const gateway = await startGateway(t, { config: { server, providers: { sim: {} } } })
  const warning = /^server\.tls\.certFile: the certificate expired at 2020-02-01T00:00:00Z$/
  const atStart = await gateway.logLine(({ msg }) => msg === 'configuration warnings')
  t.match(atStart, { level: 'warn', warnings: [warning] })
  gateway.child.kill('SIGHUP')
  t.match(await gateway.logLine((line) => line !== atStart && line.msg === atStart.msg), { warnings: [warning] })
  const page = execFileSync(process.execPath, [MAIN, 'check', '--config', `${gateway.folder}/sluice.json`])
  t.match(String(page), /^# warning: server\.tls\.certFile: the certificate expired at/m)
  t.match(String(page), /\(1 warning\)\n$/)
})
