// A listening socket that closes where descriptors run short, and opens again.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type Test, test } from 'tap'
import { loadEngine } from '../../../src/server/engine/engine.js'
import { Listener } from '../../../src/server/engine/listener.js'

const LIMIT = 60
/** A quarter of so small a limit is kept back. */
const SHORT = 45
const OPEN_BEFORE = 10

async function startListener(t: Test, limit = LIMIT) {
  const engine = loadEngine()
  const [app, other] = ['here', 'there'].map((word) => {
    const made = engine.uws.App()
    return made.any('/*', (res) => {
      res.onAborted(() => {})
      res.end(word)
    })
  })
  if (app === undefined || other === undefined) throw new Error('no app')
  let open = OPEN_BEFORE
  let onTold: (isAccepting: boolean) => void = () => {}
  const told: boolean[] = []
  const listener = new Listener({
    engine,
    binding: { app, host: '127.0.0.1', port: 0, isExclusive: true },
    descriptors: () => ({ open, limit }),
    onAccepting: (isAccepting) => {
      told.push(isAccepting)
      onTold(isAccepting)
    },
  })
  const port = await listener.listen()
  const sockets: Socket[] = []
  const keepAlive = setInterval(() => {}, 1000)
  t.teardown(() => {
    clearInterval(keepAlive)
    for (const socket of sockets) socket.destroy()
    listener.close()
    app.close()
    other.close()
  })
  return {
    ...{ listener, told, port, other },
    setOpen: (count: number) => {
      open = count
    },
    /** Resolves when it is told next. */
    next: () =>
      new Promise<boolean>((resolve) => {
        onTold = resolve
      }),
    /** False: refused. */
    async open(): Promise<Socket | false> {
      const socket = connect(port, '127.0.0.1')
      sockets.push(socket)
      const isOpen = await once(socket, 'connect').then(
        () => true,
        () => false,
      )
      socket.on('error', () => {})
      return isOpen && socket
    },
  }
}

async function ask(socket: Socket | false): Promise<string> {
  if (socket === false) return 'refused'
  const answered = once(socket, 'data')
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  return String((await answered)[0])
}

test('it closes at the very connection that uses up what is not kept back, and opens again when there are enough', async (t) => {
  const rig = await startListener(t)
  const first = await rig.open()
  for (let i = OPEN_BEFORE + 2; i <= SHORT; i++) t.not(await rig.open(), false)
  t.same(rig.told, [false])
  t.equal(await rig.open(), false, 'the next one is refused')
  t.match(await ask(first), /here/, 'those that are open are served')
  rig.setOpen(OPEN_BEFORE)
  t.equal(await rig.next(), true)
  t.match(await ask(await rig.open()), /here/, 'on the same port, while others are open')
})

test('what others than clients use counts as well, as soon as it is seen', async (t) => {
  const rig = await startListener(t)
  const first = await rig.open()
  rig.setOpen(SHORT)
  t.equal(await rig.next(), false)
  t.equal(await rig.open(), false)
  t.match(await ask(first), /here/)
})

test('with thousands of them open it is opened as soon as they have gone, whatever was counted meanwhile', async (t) => {
  const rig = await startListener(t, 20_000)
  rig.setOpen(19_500)
  t.equal(await rig.next(), false)
  const closedAtMs = performance.now()
  rig.setOpen(OPEN_BEFORE)
  t.equal(await rig.next(), true)
  t.ok(performance.now() - closedAtMs < 15_000, 'not after the 20 s that so many are left alone')
})

test('moved to another app it counts the connections of that one, those before are served on, and a closed port opens on it later', async (t) => {
  const rig = await startListener(t)
  const before = await rig.open()
  rig.listener.moveTo(rig.other)
  for (let tries = 0; !/there/.test(await ask(await rig.open())); tries++) t.ok(tries < 20)
  t.match(await ask(before), /here/)
  for (let more = 0; more < 3 * LIMIT && rig.told.length === 0; more++) await rig.open()
  rig.setOpen(SHORT)
  t.same(rig.told, [false])
  rig.listener.moveTo(rig.other)
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
  t.equal(await rig.open(), false, 'a move opens no port')
  rig.setOpen(OPEN_BEFORE)
  t.equal(await rig.next(), true)
  t.match(await ask(await rig.open()), /there/)
})

test('connections that reached the port before a move are accepted and served', async (t) => {
  const rig = await startListener(t)
  // They connect at the next tick. The kernel takes them at once, the engine in the next poll phase: a port that closed before it
  // would reset them all.
  const waiting = Array.from({ length: 8 }, () => rig.open())
  await new Promise<void>((resolve) => process.nextTick(resolve))
  rig.listener.moveTo(rig.other)
  const answers = await Promise.all(waiting.map(async (socket) => ask(await socket).catch(() => 'reset')))
  for (const answer of answers) t.match(answer, /here|there/)
  t.match(await ask(await rig.open()), /there/)
})

test('one that was closed for good stays closed', async (t) => {
  const rig = await startListener(t)
  rig.setOpen(SHORT)
  t.equal(await rig.next(), false)
  rig.listener.close()
  rig.setOpen(OPEN_BEFORE)
  // Longer than it takes to look again.
  await new Promise((resolve) => setTimeout(resolve, 1500))
  t.same(rig.told, [false])
  t.equal(await rig.open(), false)
})

/** A process that does nothing but listen, with descriptors for a few connections; `act` is done once it has said its port. */
function startLone(t: Test, act = '') {
  const code = `
    import { loadEngine } from '${new URL('../../../src/server/engine/engine.js', import.meta.url).href}'
    import { Listener } from '${new URL('../../../src/server/engine/listener.js', import.meta.url).href}'
    const engine = loadEngine()
    const app = engine.uws.App().any('/*', (res) => void res.onAborted(() => {}).end('here'))
    const descriptors = () => ({ open: ${OPEN_BEFORE}, limit: ${LIMIT} })
    const binding = { app, host: '127.0.0.1', port: 0, isExclusive: true }
    const onAccepting = (isAccepting) => console.log(isAccepting ? 'open' : 'closed')
    const listener = new Listener({ engine, binding, descriptors, onAccepting })
    console.log(await listener.listen())
    ${act}
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
  })
  let said = ''
  /** All that it has said, once these words are in it. */
  return async (words: string): Promise<string> => {
    while (!said.includes(words)) {
      const [data] = (await Promise.race([once(child.stdout, 'data'), exited])) as [Buffer | number]
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode} after: ${said}`)
      said += data.toString()
    }
    return said
  }
}

const answerOf = async (port: number): Promise<string> => (await fetch(`http://127.0.0.1:${port}/`)).text()

test('a process whose port is closed lives on when its last connection has ended, and opens it again', async (t) => {
  const heard = startLone(t)
  const port = Number(await heard('\n'))
  const sockets = Array.from({ length: SHORT - OPEN_BEFORE + 1 }, () => connect(port, '127.0.0.1'))
  for (const socket of sockets) socket.on('error', () => undefined)
  await heard('closed')
  for (const socket of sockets) socket.destroy()
  await heard('open')
  t.equal(await answerOf(port), 'here')
})

test('a process whose port another one took while it was moved lives on, and has it once it is free', async (t) => {
  const heard = startLone(
    t,
    `let tries = 0
    const listen = (host, port, options, done) => (tries++ === 0 ? done(false) : app.listen(host, port, options, done))
    listener.moveTo({ filter: () => {}, listen })`,
  )
  const port = Number.parseInt(await heard('open'), 10)
  t.equal(await answerOf(port), 'here')
})
