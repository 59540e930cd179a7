// Limits guessing of keys: failed keys are counted by client address, and an address with too many is rejected before its next key
// is looked up, valid or not. Loopback and private addresses are never counted: they may be proxies, and one bad client of a proxy
// must not lock out the others. Bounded memory; no part of a key is kept.
import { GatewayError } from '../../errors.js'

export type FailedKeysOptions = {
  readonly perMinute: number
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /** Addresses of this machine and of private networks are counted as well; by default they are not. */
  readonly countsInside?: boolean
  /** The maximum number of addresses; beyond it the oldest one is removed. */
  readonly maxAddresses?: number
}

const WINDOW_MS = 60_000
/** Some 100 bytes each: a megabyte at most. */
const MAX_ADDRESSES = 10_000
/** An IPv6 client commands a whole /64. */
const NETWORK_BYTES = 8

type Window = { readonly startedAtMs: number; failures: number }

/** The failures of one event loop's clients, in windows of a minute from each address's first failure. */
export class FailedKeys {
  readonly #options: FailedKeysOptions
  readonly #windows = new Map<string, Window>()

  constructor(options: FailedKeysOptions) {
    this.#options = options
  }

  /** True if no address has failed recently, so there is nothing to look up; the common case. */
  get isQuiet(): boolean {
    return this.#windows.size === 0
  }

  /**
   * Refuses an address with too many failures.
   * @throws rate_limited until its window has passed
   */
  check(address: Uint8Array): void {
    const network = networkOf(address)
    const window = this.#windows.get(network)
    if (window === undefined) return
    const leftMs = window.startedAtMs + WINDOW_MS - this.#options.now()
    if (leftMs <= 0) this.#windows.delete(network)
    else if (window.failures >= this.#options.perMinute) throw refusal(leftMs)
  }

  /** A key from this address was unknown. */
  note(address: Uint8Array): void {
    if (this.#options.countsInside !== true && isInside(address)) return
    const network = networkOf(address)
    const window = this.#windows.get(network)
    if (window !== undefined) {
      window.failures += 1
      return
    }
    const [oldest] = this.#windows.keys()
    if (oldest !== undefined && this.#windows.size >= (this.#options.maxAddresses ?? MAX_ADDRESSES)) {
      this.#windows.delete(oldest)
    }
    this.#windows.set(network, { startedAtMs: this.#options.now(), failures: 1 })
  }
}

function refusal(leftMs: number): GatewayError {
  return new GatewayError('rate_limited', {
    message: 'Too many unknown keys from this address. Try again later.',
    retryAfterMs: Math.ceil(leftMs),
  })
}

/** The four bytes of an IPv4 address in either spelling; null for IPv6. */
function ipv4Of(address: Uint8Array): Uint8Array | null {
  if (address.length === 4) return address
  const isMapped = address.length === 16 && address[10] === 0xff && address[11] === 0xff
  return isMapped && address.subarray(0, 10).every((byte) => byte === 0) ? address.subarray(12) : null
}

function networkOf(address: Uint8Array): string {
  return Buffer.from(ipv4Of(address) ?? address.subarray(0, NETWORK_BYTES)).toString('latin1')
}

/** Loopback, private, shared (100.64/10), link-local and unique-local addresses, and what is no address (Unix sockets). */
function isInside(address: Uint8Array): boolean {
  const ipv4 = ipv4Of(address)
  if (ipv4 !== null) {
    const [a = 0, b = 0] = ipv4
    if (a === 127 || a === 10 || (a === 192 && b === 168) || (a === 169 && b === 254)) return true
    return (a === 172 && b >= 16 && b < 32) || (a === 100 && b >= 64 && b < 128)
  }
  const [first = 0, second = 0] = address
  if (address.length !== 16 || (first & 0xfe) === 0xfc || (first === 0xfe && (second & 0xc0) === 0x80)) return true
  return address.subarray(0, 15).every((byte) => byte === 0)
}
