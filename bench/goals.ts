// What the figures are measured against. A goal that is missed stays in the table.

export type Goal = {
  readonly text: string
  readonly scenario: string
  readonly contender: string
  readonly unit: string
  /** The figure itself, or its ratio to its floor. */
  readonly of: 'value' | 'ratio'
  readonly most: number
}

function ratio(text: string, scenario: string, unit: string, most: number, contender = 'sluice'): Goal {
  return { text, scenario, contender, unit, of: 'ratio', most }
}

function value(text: string, scenario: string, unit: string, most: number, contender = 'sluice'): Goal {
  return { text, scenario, contender, unit, of: 'value', most }
}

const TRANSLATED = [
  ...['openai from anthropic, text', 'openai from anthropic, tool', 'anthropic from openai, text'],
  ...['anthropic from openai, tool', 'openai from gemini, text', 'openai from ollama, text'],
  ...['openai from responses, text', 'responses from openai, text', 'responses from openai, tool'],
  ...['responses from anthropic, text', 'responses from gemini, text', 'responses from ollama, text'],
]
const PASSED = ['openai, 100 events', 'openai, 1,000 events', 'anthropic, 100 events', 'responses, 100 events']
/** At a model's pace: the headline. */
const PACED = ['openai, 100 events at 20 ms', 'openai, 100 events at 20 ms, uneven', 'openai, 2,000 streams at 200 ms']

const KEPT = ['openai, 100 events', 'openai, 1,000 events', 'openai, 100 events at 20 ms']

export const GOALS: readonly Goal[] = [
  ...PACED.flatMap((name) => [
    ratio(`S3 CPU an event, ${name}, to the bare pipe`, `S3 ${name}`, 'CPU us/event', 1.25),
    value(`S3 added time to the first content, ${name}, p99, ms`, `S3 ${name}`, 'added first content p99, ms', 1),
    value(`S3 gap p99 over direct, ${name}, ms`, `S3 ${name}`, 'gap p99 over direct, ms', 0.3),
  ]),
  // Agents' requests are the second headline.
  ratio('S13 CPU a 215 KB step, same protocol, to the bare pipe', 'S13 215 KB, openai', 'CPU us/request', 1.6),
  value('S13 CPU a 215 KB step, translated, us', 'S13 215 KB, openai to anthropic', 'CPU us/request', 1825),
  value(
    'S13 event loop a 215 KB step, over the bare pipe, us',
    'S13 215 KB, openai',
    'added event loop us/request',
    300,
  ),
  value(
    'S13 event loop a translated step, over the bare pipe, us',
    'S13 215 KB, openai to anthropic',
    'added event loop us/request',
    300,
  ),
  ...['beside steps', 'beside translated steps'].map((name) =>
    ratio(
      `S13 gap p99 of 200 streams ${name}, to alone`,
      'S13 200 streams at 20 ms',
      'gap p99 ms',
      1.2,
      `sluice, ${name}`,
    ),
  ),
  ratio('S1 CPU a request, to the bare pipe', 'S1 c=32', 'CPU us/request', 1.8),
  value('S1 added p99, c=1, ms', 'S1 c=1', 'added p99 ms', 0.45),
  ratio("S2 small requests' p99 beside large, to without", 'S2 200 small/s', 'p99 ms', 1.3, 'sluice, beside 2 MB/s'),
  ...PASSED.map((name) => ratio(`S3 CPU an event, ${name}, to the bare pipe`, `S3 ${name}`, 'CPU us/event', 1.3)),
  value('S3 added time to the first content, p99, ms', 'S3 first content, c=1', 'added p99 ms', 0.5),
  ...TRANSLATED.map((name) => ratio(`S4 CPU an event, ${name}, to the bare pipe`, `S4 ${name}`, 'CPU us/event', 1.6)),
  value('S6 memory a held stream, KB', 'S6 held streams', 'RSS KB/stream', 20),
  value('S8 upstream closed after a client, p99, ms', 'S8 500 aborts/s', 'closed p99 ms', 50),
  value('S9 limiter and log, % of CPU', 'S9 ablation', 'limiter and log, % of CPU', 8),
  value('S9 traces, % of CPU', 'S9 ablation', 'traces, % of CPU', 5, 'sluice, + traces'),
  ...KEPT.flatMap((name) => [
    ratio(`S12 CPU an event, ${name}, kept, to not kept`, `S12 ${name}`, 'CPU us/event', 1.15, 'sluice, kept'),
    ratio(`S12 the same with numbers`, `S12 ${name}`, 'CPU us/event', 1.3, 'sluice, kept with numbers'),
  ]),
  ratio(
    'S14 CPU a request with accounts, prices and budgets, to without',
    'S14 spend',
    'CPU us/request',
    1.1,
    'sluice, + budgets',
  ),
  ...[20, 200].map((ms) =>
    value(
      `S15 an open Live page, streams at ${ms} ms, % of a core`,
      `S15 Live page, streams at ${ms} ms`,
      '% of a core',
      2,
    ),
  ),
  ratio('S10 CPU a request with two event loops, to one', 'S10 threads', 'CPU us/request', 1.05, 'sluice, threads 2'),
  ratio(
    'S16 CPU an event at 20 ms over TLS, HTTP/2, to in clear',
    'S16 openai over TLS, 100 events at 20 ms',
    'CPU us/event to clear',
    1.15,
    'sluice, HTTP/2',
  ),
  ratio(
    'S16 CPU an event over TLS at 20 ms, HTTP/2, to the bare pipe',
    'S16 openai over TLS, 100 events at 20 ms',
    'CPU us/event',
    1,
    'sluice, HTTP/2',
  ),
  value('S16 memory a held stream over TLS, HTTP/2, KB', 'S16 held over TLS', 'RSS KB/stream', 20, 'sluice, HTTP/2'),
  value('S11 first answer after start, ms', 'S11 start', 'first answer ms', 350),
  value('S11 idle memory, MB', 'S11 start', 'idle RSS MB', 75),
]
