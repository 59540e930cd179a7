// Reads a Prometheus text page strictly: every line must be a comment or a sample.
export type Sample = {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/gy

/** @throws Error on the first line that is neither */
export function parsePage(page: string): { samples: Sample[]; types: Map<string, string> } {
  const samples: Sample[] = []
  const types = new Map<string, string>()
  for (const line of page.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue
    if (line.startsWith('# TYPE ')) {
      const [name = '', type = ''] = line.slice('# TYPE '.length).split(' ')
      if (types.has(name)) throw new Error(`second type of ${name}`)
      types.set(name, type)
      continue
    }
    samples.push(parseSample(line))
  }
  return { samples, types }
}

function parseSample(line: string): Sample {
  const match = SAMPLE.exec(line)
  if (match === null) throw new Error(`not a sample: ${line}`)
  const [, name = '', labelText = '', value = ''] = match
  const labels: Record<string, string> = {}
  let end = 0
  for (const label of labelText.matchAll(LABEL)) {
    const [whole, key = '', text = ''] = label
    labels[key] = text.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char))
    end = label.index + whole.length
  }
  if (end !== labelText.length) throw new Error(`labels that cannot be read: ${line}`)
  return { name, labels, value: Number(value.replace('Inf', 'Infinity')) }
}

/** The value of the one sample of that name with exactly these labels; null if there is none. */
export function sampleValue(
  samples: readonly Sample[],
  name: string,
  labels: Record<string, string> = {},
): number | null {
  const wanted = JSON.stringify(Object.entries(labels).sort())
  const found = samples.filter((s) => s.name === name && JSON.stringify(Object.entries(s.labels).sort()) === wanted)
  if (found.length > 1) throw new Error(`${found.length} samples of ${name} ${wanted}`)
  return found[0]?.value ?? null
}
