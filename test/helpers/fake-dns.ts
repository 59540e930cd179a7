// Preloaded into a gateway process: the machine's resolver, with names that fail as getaddrinfo does. No question leaves
// the machine, as one for a name under .invalid would where the resolver does not know that top-level domain.
import dns from 'node:dns'

/** Environment of a process whose resolver is this one. */
export const FAKE_DNS: Readonly<Record<string, string>> = { NODE_OPTIONS: `--import=${import.meta.url}` }

/** getaddrinfo's code by name; null: it never answers. */
const FAILING: ReadonlyMap<string, string | null> = new Map([
  ['nxdomain.test', 'ENOTFOUND'],
  ['servfail.test', 'EAI_AGAIN'],
  ['hang.test', null],
])
/** Resolves, to an address whose certificate has another name. */
const MISNAMED = 'misnamed.test'

type Callback = (error: Error | null, address?: unknown, family?: number) => void

const { lookup } = dns

function lookUp(name: string, options: { all?: boolean }, callback: Callback): void {
  const code = FAILING.get(name)
  if (code === null) return
  if (code !== undefined) {
    const error = Object.assign(new Error(`getaddrinfo ${code} ${name}`), { code, hostname: name })
    setImmediate(() => callback(error))
  } else if (name === MISNAMED) {
    setImmediate(() => {
      if (options.all === true) callback(null, [{ address: '127.0.0.1', family: 4 }])
      else callback(null, '127.0.0.1', 4)
    })
  } else lookup(name, options as dns.LookupAllOptions, callback as never)
}

// Node's net module asks this object for its lookup at each connect.
dns.lookup = lookUp as unknown as typeof dns.lookup
