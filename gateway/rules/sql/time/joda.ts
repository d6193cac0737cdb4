// Instants to text by Joda-Time's pattern letters, which parse_time uses [joda DateTimeFormat].
import { cutPattern, dayOfYear, days, isoWeek, months, type PatternPart, short } from './calendar.ts'
import { offsetText, type Zone } from './zone.ts'

interface Moment {
  readonly ms: number
  /** Local time as if it were UTC. */
  readonly local: number
  readonly date: Date
  readonly zone: Zone
}

/** Undefined for a letter the language does not have. */
export function formatJoda(pattern: string, ms: number, zone: Zone): string | undefined {
  const local = ms + zone.offsetAt(ms)
  const moment: Moment = { ms, local, date: new Date(local), zone }
  if (Number.isNaN(moment.date.getTime())) return undefined
  let text = ''
  for (const part of cutPattern(pattern, false)!) {
    const field = part.letter === '' ? part.text : fields[part.letter]?.(moment, part)
    if (field === undefined) return undefined
    text += field
  }
  return text
}

type Field = (moment: Moment, part: PatternPart) => string

const fields: Readonly<Record<string, Field>> = {
  G: ({ date }) => (date.getUTCFullYear() > 0 ? 'AD' : 'BC'),
  C: ({ date }, { count }) => padded(Math.floor(yearOfEra(date) / 100), count),
  Y: ({ date }, { count }) => year(yearOfEra(date), count),
  x: ({ local }, { count }) => year(isoWeek(local).year, count),
  w: ({ local }, { count }) => padded(isoWeek(local).week, count),
  e: ({ local }, { count }) => padded(isoWeek(local).day, count),
  E: ({ local }, { count }) => named(days[isoWeek(local).day - 1]!, count >= 4),
  y: ({ date }, { count }) => year(date.getUTCFullYear(), count),
  D: ({ local }, { count }) => padded(dayOfYear(local) + 1, count),
  M: ({ date }, { count }) => (count >= 3 ? named(months[date.getUTCMonth()]!, count >= 4) : padded(date.getUTCMonth() + 1, count)),
  d: ({ date }, { count }) => padded(date.getUTCDate(), count),
  a: ({ date }) => (date.getUTCHours() < 12 ? 'AM' : 'PM'),
  K: ({ date }, { count }) => padded(date.getUTCHours() % 12, count),
  h: ({ date }, { count }) => padded(date.getUTCHours() % 12 || 12, count),
  H: ({ date }, { count }) => padded(date.getUTCHours(), count),
  k: ({ date }, { count }) => padded(date.getUTCHours() || 24, count),
  m: ({ date }, { count }) => padded(date.getUTCMinutes(), count),
  s: ({ date }, { count }) => padded(date.getUTCSeconds(), count),
  S: ({ date }, { count }) => padded(date.getUTCMilliseconds(), 3).padEnd(count, '0').slice(0, count),
  z: ({ ms, zone }, { count }) => zone.nameAt(ms, count >= 4),
  Z: ({ ms, zone }, { count }) => (count >= 3 ? zone.id : offsetText(zone.offsetAt(ms), count === 1 ? '' : ':')),
}

function yearOfEra(date: Date): number {
  const value = date.getUTCFullYear()
  return value > 0 ? value : 1 - value
}

/** Two letters are the year of the century; any other number of them is the year. */
function year(value: number, count: number): string {
  return count === 2 ? padded(Math.abs(value) % 100, 2) : padded(value, count)
}

function padded(value: number, count: number): string {
  return (value < 0 ? '-' : '') + String(Math.abs(value)).padStart(count, '0')
}

function named(word: string, long: boolean): string {
  return long ? word : short(word)
}
