// The address of the client: that of the connection, unless it belongs to a trusted proxy. Each proxy has appended the address that
// it saw, so the list is read from its end: the first address that is not a trusted proxy's is the client's, and everything before
// it may be made up by the client.
//
//   X-Forwarded-For: made up, 203.0.113.7, 10.0.0.2     connection from 10.0.0.1     trusted: 10.0.0.0/8
//                             ^ the client   ^ trusted                ^ trusted
import { isWithin, type Network, parseAddress, parseNetwork, toPlain } from '../../config/resolve/addresses.js'
import { type RequestHead } from '../engine/request-head.js'
import { type ClientResponse } from '../engine/response.js'
import { type AddressTexts } from './address-text.js'

/** Headers of one name are joined in their order. */
export type ForwardedHeaders = Pick<RequestHead, 'forwardedFor' | 'forwarded'>

/** The header by which proxies say whether their client came by TLS. */
export const FORWARDED_PROTO = 'x-forwarded-proto'

type Connection = Pick<ClientResponse, 'peer' | 'address'>

/** The maximum number of proxies in a row, so that a header full of trusted addresses costs no more. */
const MAX_HOPS = 32
const QUOTE = '"'
const ESCAPE = '\\'
/** `for=` of RFC 7239, in any case. */
const FOR = /^for\s*=\s*(.*)$/is
/** `proto=` of the first element of RFC 7239, in any case. */
const PROTO = /^[^,]*\bproto\s*=\s*"?https\b/i
const HTTPS = /^\s*https\s*(?:,|$)/i
/** An IPv6 address in brackets, with or without a port; an IPv4 address with a port. */
const BRACKETED = /^\[([^\]]*)\](?::\d+)?$/
const IPV4_PORT = /^(\d+\.\d+\.\d+\.\d+):\d+$/

/** The proxies of one configuration. */
export class TrustedProxies {
  readonly #networks: readonly Network[]

  /** `networks`: checked when the configuration was read; invalid ones are ignored. */
  constructor(networks: readonly string[]) {
    this.#networks = networks.flatMap((text) => parseNetwork(text) ?? [])
  }

  has(address: Uint8Array): boolean {
    const plain = toPlain(address)
    return this.#networks.some((network) => isWithin(plain, network))
  }

  /**
   * The client's address, in 4 or 16 bytes. X-Forwarded-For takes precedence over Forwarded: a proxy that writes the first, as nearly
   * all do, passes the second on unchanged from the client.
   */
  clientOf(peer: Uint8Array, { forwardedFor, forwarded }: ForwardedHeaders): Uint8Array {
    if (this.#networks.length === 0 || !this.has(peer)) return peer
    if (forwardedFor !== '') return this.#walk(peer, forwardedFor, nodeOf)
    return forwarded === '' ? peer : this.#walk(peer, forwarded, forOf)
  }

  /**
   * Whether the client came by TLS to the first proxy, as a trusted one says. What the client made up is worth nothing here: decide by
   * it only what concerns the client itself.
   */
  saysTls(peer: Uint8Array, { proto, forwarded }: { readonly proto: string; readonly forwarded: string }): boolean {
    if (this.#networks.length === 0 || !this.has(peer)) return false
    return proto === '' ? PROTO.test(forwarded) : HTTPS.test(proto)
  }

  /** The client's address for the log. Without trusted proxies the engine's memory is read in place. */
  clientText(connection: Connection, headers: ForwardedHeaders, texts: AddressTexts): string {
    if (this.#networks.length === 0) return texts.ofPeer(connection.peer)
    return texts.of(this.clientOf(connection.address, headers))
  }

  /** Reads from the end of the list to the first address that is not a trusted proxy's, or is not an address. */
  #walk(peer: Uint8Array, list: string, addressOf: (element: string) => Uint8Array | null): Uint8Array {
    let client = peer
    let end = list.length
    for (let hops = 0; hops < MAX_HOPS && end >= 0; hops++) {
      const comma = lastSeparator(list, ',', end)
      const address = addressOf(list.slice(comma + 1, end).trim())
      if (address === null) return client
      client = address
      if (!this.has(address)) return client
      end = comma
    }
    return client
  }
}

/** One element of X-Forwarded-For. */
function nodeOf(node: string): Uint8Array | null {
  const bare = BRACKETED.exec(node)?.[1] ?? IPV4_PORT.exec(node)?.[1] ?? node
  return parseAddress(bare)
}

/** One element of Forwarded: `for="[2001:db8::1]:4711";proto=https`. Hidden nodes (`unknown`, `_name`) have no address. */
function forOf(element: string): Uint8Array | null {
  let end = element.length
  while (end >= 0) {
    const semicolon = lastSeparator(element, ';', end)
    const value = FOR.exec(element.slice(semicolon + 1, end).trim())?.[1]
    if (value !== undefined) return nodeOf(value.startsWith(QUOTE) ? value.slice(1, -1) : value)
    end = semicolon
  }
  return null
}

/** The last one before `end` that is not within quotes, or -1. From the right, since the left part may be made up. */
function lastSeparator(text: string, separator: string, end: number): number {
  let isQuoted = false
  for (let i = end - 1; i >= 0; i--) {
    if (text[i] === QUOTE && !isEscaped(text, i)) isQuoted = !isQuoted
    else if (text[i] === separator && !isQuoted) return i
  }
  return -1
}

function isEscaped(text: string, at: number): boolean {
  let escapes = 0
  while (text[at - 1 - escapes] === ESCAPE) escapes += 1
  return escapes % 2 === 1
}
