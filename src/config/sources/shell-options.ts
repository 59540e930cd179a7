// The options of a command line as parseArgs takes them apart, with errors that name the first argument that is wrong.
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { nearestName, refusal } from '../validate/problem.js'

/** The options of a command. */
export type Options = NonNullable<ParseArgsConfig['options']>

export const MAX_PORT = 65_535

/** The values of options. */
export type Values = Readonly<Record<string, string | boolean | undefined>>

/** @throws misconfigured for an unknown option, a missing value, or a value that the option does not take */
export function readOptions(args: readonly string[], options: Options): Values {
  let values: Readonly<Record<string, Values[string] | readonly (string | boolean)[]>>
  try {
    values = parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values
  } catch (error) {
    throw refusal(faultOf(args, options) ?? (error instanceof Error ? error.message : String(error)))
  }
  for (const [name, value] of Object.entries(values)) if (value === '') throw refusal(`option --${name} needs a value`)
  return values as Values
}

/** Rewords the error of the strict parser: names the first argument that is wrong. */
function faultOf(args: readonly string[], options: Options): string | null {
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true })
  for (const token of tokens) {
    if (token.kind === 'positional') return `unexpected argument "${token.value}". See sluice --help.`
    if (token.kind !== 'option') continue
    const { name, rawName, value, inlineValue } = token
    const option = Object.hasOwn(options, name) ? options[name] : undefined
    if (option === undefined) {
      const nearest = nearestName(name, Object.keys(options))
      return `unknown option ${rawName}${nearest === null ? '.' : `; did you mean --${nearest}?`} See sluice --help.`
    }
    if (option.type === 'boolean' && value !== undefined) return `option ${rawName} takes no value`
    if (option.type !== 'string') continue
    if ((value ?? '') === '') return `option ${rawName} needs a value`
    if (inlineValue === false && value?.startsWith('-') === true)
      return `option ${rawName} needs a value; one that begins with "-" is written --${name}=VALUE`
  }
  return null
}

/** The value of an option that takes one. */
export function text(value: string | boolean | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** An option as a member, if it was given. */
export function given<K extends string>(name: K, value: string | boolean | undefined): Partial<Record<K, string>> {
  const written = text(value)
  const entry: Partial<Record<K, string>> = {}
  if (written !== undefined) entry[name] = written
  return entry
}

/** Null: it was not given. @throws misconfigured for what is no number up to the maximum; a port is a whole one */
export function readNumber(option: string, value: string | boolean | undefined, maximum: number): number | null {
  const written = text(value)
  if (written === undefined) return null
  const number = Number(written)
  if (!/^\d+(\.\d+)?$/.test(written) || number > maximum || (maximum === MAX_PORT && !Number.isInteger(number))) {
    throw refusal(`option ${option} must be a number from 0 to ${maximum}`)
  }
  return number
}

/** A number that may be negative; undefined: it was not given. @throws misconfigured */
export function readAmount(option: string, value: string | boolean | undefined): number | undefined {
  const written = text(value)
  if (written === undefined) return undefined
  if (!/^-?\d+(\.\d+)?$/.test(written)) throw refusal(`option ${option} must be a number`)
  return Number(written)
}

/** Items of a list with commas. */
export function readList(value: string | boolean | undefined): string[] | undefined {
  return text(value)
    ?.split(',')
    .map((item) => item.trim())
}

const BUDGET = /^(?<amount>\d+(?:\.\d+)?)(?<unit>usd|tokens)?\/(?<per>hour|day|week|month|total)$/

/** Budgets as the admin API takes them: `50/month,1000000tokens/day`. @throws misconfigured */
export function readBudgets(option: string, value: string | boolean | undefined): object[] | undefined {
  return readList(value)?.map((item) => {
    const { amount = '', unit = 'usd', per } = BUDGET.exec(item)?.groups ?? {}
    if (per === undefined) {
      throw refusal(
        `option ${option} must be an amount and a period, such as 50/month (dollars) or 1000000tokens/day; a period is hour, day, week, month or total`,
      )
    }
    return { [unit]: Number(amount), per }
  })
}
