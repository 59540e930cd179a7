// The error for an invalid client's body, used throughout this folder: the dotted path of the field, and the problem.
import { GatewayError } from '../../../errors.js'

/** `problem` follows the path in the message, such as `must be a string`. An empty path is the body itself. */
export function invalid(param: string, problem: string): GatewayError {
  const subject = param === '' ? 'The body' : `'${param}'`
  return new GatewayError('invalid_request', { message: `${subject} ${problem}.`, param: param === '' ? null : param })
}

/** For what only this wire carries. Another target may speak it, so routing tries the next one. */
export function notCarried(param: string, what: string): GatewayError {
  const message = `'${param}' is ${what}, which the API of the chosen model's provider does not support.`
  return new GatewayError('invalid_request', { param, message, retryable: true })
}
