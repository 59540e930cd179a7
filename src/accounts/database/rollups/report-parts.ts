// A range of time in parts, so that of each the coarsest rows are read that fit into it.
//
//   hours:  |--- hours ---|------------ days ------------|-- hours --|
//   days:   |--- days  ---|----------- months -----------|-- days  --|
import { windowAt, windowStartMs } from '../../budgets/windows.js'
import { DAY_MS, HOUR_MS, HOURS_PER_DAY } from '../../rollups/types.js'

/** Spans of one length; `to` is exclusive. */
export type Part<Span> = { readonly span: Span; readonly from: number; readonly to: number }

/** Hours that make no whole days, and days; both since 1970. */
export function hourParts(fromMs: number, toMs: number): Part<'hour' | 'day'>[] {
  const [from, to] = [fromMs / HOUR_MS, toMs / HOUR_MS]
  const [firstDay, endDay] = [Math.ceil(fromMs / DAY_MS), Math.floor(toMs / DAY_MS)]
  if (firstDay >= endDay) return [{ span: 'hour', from, to }]
  return present([
    { span: 'hour', from, to: firstDay * HOURS_PER_DAY },
    { span: 'day', from: firstDay, to: endDay },
    { span: 'hour', from: endDay * HOURS_PER_DAY, to },
  ])
}

/** Days that make no whole months, and months; both since 1970. */
export function dayParts(from: number, to: number): Part<'day' | 'month'>[] {
  const [firstMonth, endMonth] = [monthOf(from - 1) + 1, monthOf(to)]
  if (firstMonth >= endMonth) return [{ span: 'day', from, to }]
  return present([
    { span: 'day', from, to: firstDayOf(firstMonth) },
    { span: 'month', from: firstMonth, to: endMonth },
    { span: 'day', from: firstDayOf(endMonth), to },
  ])
}

/** The month of a day. */
export function monthOf(day: number): number {
  return windowAt('month', day * DAY_MS)
}

/** The first day of a month. */
export function firstDayOf(month: number): number {
  return windowStartMs('month', month) / DAY_MS
}

function present<Span>(parts: readonly Part<Span>[]): Part<Span>[] {
  return parts.filter(({ from, to }) => from < to)
}
