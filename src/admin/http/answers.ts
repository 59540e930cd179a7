// Schemas that the answers of many routes share.
import { type TSchema, Type } from 'typebox'
import { type DescribedAnswer } from './admin-route.js'

export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])

/** A time as answers have it: ISO 8601 in UTC. */
export const Time = Type.String({ format: 'date-time' })

/** Event loops that did not answer; their part is missing. */
export const Silent = Type.Array(Type.Integer(), {
  description: 'Event loops that did not answer; their part is missing',
})

/** The one form of all errors. */
export const ErrorBody = Type.Object({
  error: Type.Object({
    code: Type.String(),
    message: Type.String(),
    param: Type.Union([Type.String(), Type.Null()], { description: 'The member or parameter at fault' }),
  }),
})

/** An error that is not one of every route. */
export function refused(description: string): DescribedAnswer {
  return { description, schema: ErrorBody }
}

/** Unix milliseconds as answers have them. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString()
}
