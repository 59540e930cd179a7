// The error for a client's body that its surface rejects: the dotted path of the first wrong field, and what is wrong with it.
import { GatewayError } from '../../errors.js'

/** What of a compiled schema is needed here. */
export type Validator = { Check(value: unknown): boolean; Errors(value: unknown): SchemaError[] }
type SchemaError = { keyword: string; instancePath: string; params: object; message: string }

/** `problem` follows the path in the message, such as `must be a string`. An empty path is the body itself. */
export function invalidField(param: string, problem: string): GatewayError {
  const subject = param === '' ? 'The body' : `'${param}'`
  return new GatewayError('invalid_request', { message: `${subject} ${problem}.`, param: param === '' ? null : param })
}

/** For what only the wire of the surface carries. Another target may speak it, so routing tries the next one. */
export function notCarried(param: string, what: string): GatewayError {
  const message = `'${param}' is ${what}, which the API of the chosen model's provider does not support.`
  return new GatewayError('invalid_request', { param, message, retryable: true })
}

/** @throws invalid_request if the value, which is at this path, does not fit */
export function demand(validator: Validator, value: unknown, path: string): void {
  if (!validator.Check(value)) throw explainField(validator, value, path)
}

function explainField(validator: Validator, value: unknown, base: string): GatewayError {
  const first = validator.Errors(value)[0]
  if (first === undefined) return invalidField(base, 'is not valid')
  const path = `${base}${first.instancePath.replaceAll('/', '.')}`.replace(/^\./, '')
  const { params } = first
  if ('requiredProperties' in params && Array.isArray(params.requiredProperties)) {
    const missing = [path, String(params.requiredProperties[0])].filter((step) => step !== '').join('.')
    return invalidField(missing, 'is required')
  }
  if ('allowedValues' in params && Array.isArray(params.allowedValues)) {
    return invalidField(path, `must be one of ${params.allowedValues.join(', ')}`)
  }
  return invalidField(path, first.message)
}
