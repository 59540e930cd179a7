// Completes the base URL of a profile with what differs from customer to customer: a resource, a region, a project. The names of
// the parts and their values come from data; nothing here knows a vendor.
import { Value } from 'typebox/value'
import { type VendorProfile } from '../../catalog.js'
import { ProviderEntry } from '../../schema/provider.js'
import { type Variables } from '../../sources/substitute.js'

export type Address = ProviderEntry['address']
type Part = keyof Address

const PLACEHOLDER = /\{([a-z]+)\}/g
const HOST = 'host'
/** The host for values that are not listed. */
const OTHERS = '*'

/** The URL, or the parts that are missing. */
export type FilledUrl = { readonly url: string } | { readonly missing: readonly string[] }

/** Replaces each `{part}`; `{host}` by the host that the profile has for the value of one of them. */
export function fillAddress(template: string, address: Address, { hosts }: Pick<VendorProfile, 'hosts'>): FilledUrl {
  const missing = new Set<string>()
  const fill = (text: string): string =>
    text.replace(PLACEHOLDER, (_whole, name: string) => {
      if (name === HOST && hosts !== undefined) {
        const value = partOf(address, hosts.by)
        if (value === undefined) missing.add(hosts.by)
        const isListed = value !== undefined && Object.hasOwn(hosts.names, value)
        return fill(hosts.names[isListed ? value : OTHERS] ?? '')
      }
      const value = partOf(address, name)
      if (value === undefined) missing.add(name)
      return value ?? ''
    })
  const url = fill(template)
  return missing.size > 0 ? { missing: [...missing] } : { url }
}

/** The parts that the environment sets, each with the variable it comes from; one that no entry could have is not set. */
export function addressFrom(
  profile: Pick<VendorProfile, 'address'>,
  variables: Variables,
): readonly { readonly part: string; readonly variable: string; readonly value: string }[] {
  return Object.entries(profile.address ?? {}).flatMap(([part, names]) => {
    const variable = names.find((name) => (variables[name] ?? '') !== '')
    const value = variables[variable ?? '']
    return variable === undefined || value === undefined || !isPart(part, value) ? [] : [{ part, variable, value }]
  })
}

function partOf(address: Address, name: string): string | undefined {
  return Object.hasOwn(address, name) ? address[name as Part] : undefined
}

function isPart(name: string, value: string): boolean {
  return Value.Check(ProviderEntry.properties.address, { [name]: value })
}
