// Time zones: the offset at an instant, the instant of a local time, and the English names. The rules of the zones are the platform's.
import { spend } from '../work.ts'

export interface Zone {
  readonly id: string
  /** Milliseconds east of UTC at an instant. */
  offsetAt(ms: number): number
  /** `CST`, or `Central Standard Time`. */
  nameAt(ms: number, long: boolean): string
}

/** Farthest instants that a date can have: ±100,000,000 days from 1970. */
export const maxInstant = 8.64e15

const maxCachedZones = 100
/** To make a formatter of the platform takes up to a millisecond. */
const stepsOfFormat = 30_000
const cache = new Map<string, Zone>()

/** `Europe/Paris`, `UTC`, `Z`, `+01:00`, `UTC+01:00`. Undefined for anything else. */
export function findZone(id: string): Zone | undefined {
  const known = cache.get(id)
  if (known !== undefined) return known
  spend(stepsOfFormat)
  const zone = fixedZone(id) ?? namedZone(id)
  if (zone === undefined) return undefined
  if (cache.size >= maxCachedZones) cache.clear()
  cache.set(id, zone)
  return zone
}

/** The instant of a local time given as if it were UTC. In a gap the clock went forward, in an overlap the earlier one counts, as in java.time. */
export function instantOf(local: number, zone: Zone): number {
  const before = zone.offsetAt(local - 86_400_000)
  const after = zone.offsetAt(local + 86_400_000)
  for (const offset of [before, after]) if (zone.offsetAt(local - offset) === offset) return local - offset
  return local - before
}

/** `+01:00`, `+0100`, `+01`, or with seconds; milliseconds. */
export function parseOffset(text: string): number | undefined {
  const [, sign, hours, minutes = '0', seconds = '0'] = /^([+-])(\d{1,2})(?::?(\d{2})(?::?(\d{2}))?)?$/.exec(text) ?? []
  if (sign === undefined || Number(hours) > 18 || Number(minutes) > 59 || Number(seconds) > 59) return undefined
  return (sign === '-' ? -1 : 1) * ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000 + 0
}

/** `+01:00` with the given separator; seconds only where there are any. */
export function offsetText(offset: number, separator: string): string {
  const total = Math.round(Math.abs(offset) / 1_000)
  const parts = [Math.floor(total / 3600), Math.floor(total / 60) % 60, ...(total % 60 ? [total % 60] : [])]
  return (offset < 0 ? '-' : '+') + parts.map((part) => String(part).padStart(2, '0')).join(separator)
}

function fixedZone(id: string): Zone | undefined {
  const [, prefix = '', rest = ''] = /^(UTC|GMT|UT|Z)?(.*)$/.exec(id) ?? []
  const offset = rest === '' ? (prefix === '' ? undefined : 0) : prefix === 'Z' ? undefined : parseOffset(rest)
  if (offset === undefined) return undefined
  const name = rest === '' ? (prefix === 'GMT' ? 'GMT' : 'UTC') : offsetText(offset, ':')
  const long = rest === '' ? (prefix === 'GMT' ? 'Greenwich Mean Time' : 'Coordinated Universal Time') : name
  return { id: rest === '' ? name : id, offsetAt: () => offset, nameAt: (_ms, wantsLong) => (wantsLong ? long : name) }
}

function namedZone(id: string): Zone | undefined {
  if (!/^[A-Z][A-Za-z0-9_+/-]+$/.test(id)) return undefined
  try {
    const fields = new Intl.DateTimeFormat('en-US', {
      timeZone: id,
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    return { id, offsetAt: (ms) => localOf(fields, ms) - Math.floor(ms / 1_000) * 1_000, nameAt: (ms, long) => nameOf(id, ms, long) }
  } catch {
    return undefined
  }
}

/** The local time of an instant, to the second, as if it were UTC. */
function localOf(fields: Intl.DateTimeFormat, ms: number): number {
  const part: Record<string, string> = {}
  for (const { type, value } of fields.formatToParts(Math.max(-maxInstant, Math.min(maxInstant, ms)))) part[type] = value
  const year = part.era === 'BC' ? 1 - Number(part.year) : Number(part.year)
  return (
    utc(year, Number(part.month), Number(part.day)) + ((Number(part.hour) * 60 + Number(part.minute)) * 60 + Number(part.second)) * 1_000
  )
}

/** Midnight of a date; unlike Date.UTC, the years 0 to 99 are themselves. */
export function utc(year: number, month: number, day: number): number {
  return new Date(0).setUTCFullYear(year, month - 1, day)
}

// Each English-speaking region abbreviates the zones it knows; the others print an offset.
const locales = ['en-US', 'en-GB', 'en-AU', 'en-IN', 'en-ZA', 'en-NZ', 'en-CA']

function nameOf(id: string, ms: number, long: boolean): string {
  let name = id
  for (const locale of long ? ['en-US'] : locales) {
    spend(stepsOfFormat)
    const format = new Intl.DateTimeFormat(locale, { timeZone: id, timeZoneName: long ? 'long' : 'short' })
    name = format.formatToParts(ms).find(({ type }) => type === 'timeZoneName')?.value ?? id
    if (!/^(GMT|UTC)[+-]/.test(name)) return name
  }
  return abbreviations[id] ?? name
}

/** Abbreviations that no English-speaking region has. */
const abbreviations: Readonly<Record<string, string>> = {
  'Asia/Tokyo': 'JST',
  'Asia/Seoul': 'KST',
  'Asia/Shanghai': 'CST',
  'Asia/Hong_Kong': 'HKT',
  'Asia/Singapore': 'SGT',
  'Asia/Jakarta': 'WIB',
  'Asia/Bangkok': 'ICT',
  'Asia/Dubai': 'GST',
  'Asia/Karachi': 'PKT',
  'America/Sao_Paulo': 'BRT',
  'America/Argentina/Buenos_Aires': 'ART',
  'America/Bogota': 'COT',
  'America/Lima': 'PET',
  'Europe/Moscow': 'MSK',
}

/** Zones that a text names by their abbreviation. */
export const abbreviated: Readonly<Record<string, string>> = {
  EST: 'America/New_York',
  EDT: 'America/New_York',
  CST: 'America/Chicago',
  CDT: 'America/Chicago',
  MST: 'America/Denver',
  MDT: 'America/Denver',
  PST: 'America/Los_Angeles',
  PDT: 'America/Los_Angeles',
  BST: 'Europe/London',
  WET: 'Europe/Lisbon',
  CET: 'Europe/Paris',
  CEST: 'Europe/Paris',
  EET: 'Europe/Athens',
  EEST: 'Europe/Athens',
  MSK: 'Europe/Moscow',
  IST: 'Asia/Kolkata',
  JST: 'Asia/Tokyo',
  KST: 'Asia/Seoul',
  AEST: 'Australia/Sydney',
  AEDT: 'Australia/Sydney',
}
