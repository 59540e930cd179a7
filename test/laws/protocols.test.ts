// Law 0 for laws 1 to 5 and the observer's: each is shown a protocol that keeps it, and made-up ones that break it.
import { test } from 'tap'
import { errorData } from '../../src/errors.js'
import { type StreamEvent } from '../../src/model/event.js'
import { type Dialect, type StreamObserver, type Surface } from '../../src/protocols/contract/protocol.js'
import { DIALECTS, readFixtures, SURFACES } from '../helpers/protocol-fixtures.js'
import {
  findChangedBytes,
  findCutBreaks,
  findDisorder,
  findLikeness,
  findReadOtherwise,
  findUnlikeObserver,
  findUnlikePair,
} from '../helpers/protocol-laws.js'

function sound(): { dialect: Dialect; surface: Surface } {
  const [dialect] = DIALECTS
  const surface = SURFACES.find(({ id }) => id === dialect?.id)
  if (dialect === undefined || surface === undefined) throw new Error('no protocol has both halves')
  return { dialect, surface }
}

const { dialect, surface } = sound()
const answers = new Map(readFixtures(dialect.id, 'responses').map(({ name, bytes }) => [name, bytes]))
/** One that is complete and has its whole answer. */
function pair() {
  for (const recording of readFixtures(dialect.id, 'streams')) {
    const answer = answers.get(recording.name)
    if (answer !== undefined) return { recording, answer }
  }
  throw new Error('no pair')
}
const { recording, answer } = pair()

/** The same dialect, but what its decoders emit passes `change` first. */
function emitting(change: (event: StreamEvent, emit: (event: StreamEvent) => void) => void): Dialect {
  return {
    ...dialect,
    createDecoder: (emit, options) => dialect.createDecoder((event) => change(event, emit), options),
  }
}

test('law 1 fails where a request is edited or loses a field', async (t) => {
  const [request] = readFixtures(surface.id, 'requests')
  if (request === undefined) throw new Error('no request')
  t.same(findChangedBytes(surface, dialect, request), [])
  const editing: Dialect = {
    ...dialect,
    editRequest: () => ({ edits: new Map([['user', 'somebody else']]), dropped: ['user'] }),
  }
  const { name } = request
  t.same(findChangedBytes(surface, editing, request), [`${name}: user is dropped`, `${name}: other bytes`])
})

test('the observer’s law fails where it says something else than the decoder', async (t) => {
  t.same(findUnlikeObserver(dialect, recording), [])
  const observing = (change: Partial<StreamObserver>): Dialect => ({
    ...dialect,
    createObserver: (options) =>
      new Proxy(dialect.createObserver(options), {
        get: (observer, member) => {
          const value: unknown = Reflect.get(member in change ? change : observer, member, observer)
          return typeof value === 'function' ? value.bind(observer) : value
        },
      }),
  })
  const { name } = recording
  t.same(findUnlikeObserver(observing({ isComplete: () => false }), recording), [`${name}: complete`, `${name}: end`])
  t.same(findUnlikeObserver(observing({ usage: null }), recording), [`${name}: usage`])
  t.same(findUnlikeObserver(observing({ error: errorData('overloaded') }), recording), [`${name}: error`])
})

test('law 3 fails where events depend on what was decoded before', async (t) => {
  t.same(findCutBreaks(dialect, recording), [])
  let decoded = 0
  const forgetful = emitting((event, emit) => {
    if (event.type === 'start') decoded += 1
    emit(event.type === 'start' ? { ...event, meta: { ...event.meta, id: `r${decoded}` } } : event)
  })
  t.same(findCutBreaks(forgetful, recording), [`${recording.name}: byte by byte`, `${recording.name}: with CR LF`])
})

test('the law of likeness fails where a frame is read from the one before it', async (t) => {
  t.same(findLikeness(dialect, recording), [])
  const hasty: Dialect = {
    ...dialect,
    createDecoder: (emit, options) => {
      const decoder = dialect.createDecoder(emit, options)
      let last = ''
      return {
        push: (data) => {
          const isRepeated = data.toString('latin1') === last
          last = data.toString('latin1')
          if (!isRepeated) decoder.push(data)
        },
        end: () => decoder.end(),
      }
    },
  }
  t.same(findLikeness(hasty, recording), [`${recording.name}: each frame twice`])
})

test('law 4 fails for a delta without its block, a block that stays open, and an event after the last', async (t) => {
  t.same(findDisorder(dialect, recording), [])
  const blockless = emitting((event, emit) => (event.type === 'block-start' ? undefined : emit(event)))
  const open = emitting((event, emit) => (event.type === 'block-end' ? undefined : emit(event)))
  const talkative = emitting((event, emit) => {
    emit(event)
    if (event.type === 'finish') emit(event)
  })
  for (const broken of [blockless, open, talkative]) {
    t.ok(findDisorder(broken, recording).some((breach) => breach.startsWith(`${recording.name} as recorded: `)))
  }
  // Only an ill stream shows it: an error after the end.
  const late = emitting((event, emit) => {
    if (event.type === 'error') emit(event)
    emit(event)
  })
  const breaches = findDisorder(late, recording)
  t.ok(breaches.length > 0)
  t.notOk(breaches.some((breach) => breach.includes('as recorded')))
})

test('law 5 fails where stream and whole answer are read differently', async (t) => {
  t.same(findUnlikePair(dialect, recording, answer), [])
  const mute = emitting((event, emit) => emit(event.type === 'block-delta' ? { ...event, delta: '' } : event))
  t.match(findUnlikePair(mute, recording, answer), [/: content is /])
  const free: Dialect = {
    ...dialect,
    decodeResponse: (body, fallback) => ({ ...dialect.decodeResponse(body, fallback), usage: null }),
  }
  t.match(findUnlikePair(free, recording, answer), [/: usage is .*, not null$/])
})

test('law 2 fails where the surface leaves out what the dialect reads', async (t) => {
  t.same(findReadOtherwise(surface, dialect, recording), [])
  const leavingOut = (isLeft: (event: StreamEvent) => boolean): Surface => ({
    ...surface,
    createEncoder: (emit, options) => {
      const encoder = surface.createEncoder(emit, options)
      return { push: (event) => (isLeft(event) ? undefined : encoder.push(event)) }
    },
  })
  t.match(
    findReadOtherwise(
      leavingOut((event) => event.type === 'block-delta'),
      dialect,
      recording,
    ),
    [/: content is /],
  )
  const endless = leavingOut((event) => event.type === 'finish')
  t.not(findReadOtherwise(endless, dialect, recording).length, 0)
})
