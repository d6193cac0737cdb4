// Text to instants by the pattern letters of java.time, which time_to_epoch uses [JDK 11 DateTimeFormatter, its default "smart" resolver].
import { cutPattern, days, months, type PatternPart, short } from './calendar.ts'
import { abbreviated, findZone, instantOf, maxInstant, parseOffset, utc, type Zone } from './zone.ts'

type FieldName =
  | 'era'
  | 'year'
  | 'yearOfEra'
  | 'month'
  | 'day'
  | 'dayOfYear'
  | 'amPm'
  | 'hour'
  | 'hour12'
  | 'minute'
  | 'second'
  | 'nano'
  | 'milliOfDay'
type Fields = Partial<Record<FieldName, number>> & { zone?: Zone }

/** Milliseconds since 1970; UTC where the text has no zone. Undefined where text and pattern do not fit, or no date follows from them. */
export function parseJava(text: string, pattern: string): number | undefined {
  const parts = cutPattern(pattern, true)
  const fields: Fields = {}
  if (parts === undefined || !parts.every(isKnown)) return undefined
  return readParts(parts, text, 0, fields) === text.length ? resolve(fields) : undefined
}

interface Letter {
  /** The most digits the field may have. For a number of one letter; two letters or more are that many digits. */
  readonly digits?: number
  /** Where the field stops being a number: `MMM` is a word. */
  readonly wordsFrom?: number
  read(text: string, pos: number, part: PatternPart, fields: Fields): number
}

const number = (name: FieldName, least: number, most: number, adjust = (value: number) => value): Letter => ({
  digits: 2,
  read(text, pos, _part, fields) {
    const value = Number(text.slice(pos))
    if (value < least || value > most) return -1
    fields[name] = adjust(value)
    return 0
  },
})

const word = (words: readonly string[], store: (index: number, fields: Fields) => void): Letter['read'] => {
  return (text, pos, { count }, fields) => {
    const forms = count === 4 ? words : words.map(short)
    const index = forms.findIndex((form) => text.startsWith(form, pos))
    if (index === -1) return -1
    store(index, fields)
    return pos + forms[index]!.length
  }
}

const month: Letter = {
  ...number('month', 1, 12),
  wordsFrom: 3,
}
const readMonth = word(months, (index, fields) => {
  fields.month = index + 1
})
const weekday: Letter['read'] = word(days, () => undefined)
const zone: Letter = { read: (text, pos, _part, fields) => readZone(text, pos, fields) }
const offset: Letter = { read: (text, pos, { letter }, fields) => readOffset(text, pos, letter, fields) }

const letters: Readonly<Record<string, Letter>> = {
  G: {
    read(text, pos, { count }, fields) {
      const forms = count === 4 ? ['Before Christ', 'Anno Domini'] : ['BC', 'AD']
      const index = forms.findIndex((form) => text.startsWith(form, pos))
      if (index !== -1) fields.era = index
      return index === -1 ? -1 : pos + forms[index]!.length
    },
  },
  u: number('year', -999_999_999, 999_999_999),
  y: number('yearOfEra', 0, 999_999_999),
  M: month,
  L: month,
  d: number('day', 1, 31),
  D: number('dayOfYear', 1, 366),
  E: { read: weekday },
  a: {
    read(text, pos, _part, fields) {
      const index = ['AM', 'PM'].indexOf(text.slice(pos, pos + 2))
      if (index !== -1) fields.amPm = index
      return index === -1 ? -1 : pos + 2
    },
  },
  h: number('hour12', 1, 12, (value) => value % 12),
  K: number('hour12', 0, 11),
  k: number('hour', 1, 24, (value) => value % 24),
  H: number('hour', 0, 24),
  m: number('minute', 0, 59),
  s: number('second', 0, 59),
  S: { read: (text, pos, { count }, fields) => readFraction(text, pos, count, fields) },
  n: number('nano', 0, 999_999_999),
  A: number('milliOfDay', 0, 86_399_999),
  V: zone,
  v: zone,
  z: zone,
  O: zone,
  X: offset,
  x: offset,
  Z: offset,
}

const widths: Readonly<Record<string, number>> = { u: 19, y: 19, n: 19, A: 19, D: 3 }
const optional = new Set(['[', ']'])

function isKnown({ letter, text, count }: PatternPart): boolean {
  if (letter === '') return !'{}#'.includes(text) || text === ''
  return Object.hasOwn(letters, letter) && count <= (widths[letter] ?? (letter === 'S' ? 9 : 5)) && (letter !== 'V' || count === 2)
}

/** Where reading ended, or -1. A section in brackets is skipped where it does not fit. */
function readParts(parts: readonly PatternPart[], text: string, start: number, fields: Fields): number {
  let pos = start
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]!
    if (part.letter === '' && part.text === '[') {
      const close = closing(parts, i)
      const tried: Fields = { ...fields }
      const end = readParts(parts.slice(i + 1, close), text, pos, tried)
      if (end !== -1) {
        Object.assign(fields, tried)
        pos = end
      }
      i = close
    } else if (!optional.has(part.text)) {
      pos = readPart(parts, i, text, pos, fields)
      if (pos === -1) return -1
    }
  }
  return pos
}

function closing(parts: readonly PatternPart[], open: number): number {
  let depth = 0
  for (let i = open; i < parts.length; i++) {
    if (parts[i]!.text === '[') depth++
    if (parts[i]!.text === ']' && --depth === 0) return i
  }
  return parts.length
}

function readPart(parts: readonly PatternPart[], index: number, text: string, pos: number, fields: Fields): number {
  const part = parts[index]!
  if (part.letter === '') return text.startsWith(part.text, pos) ? pos + part.text.length : -1
  const letter = letters[part.letter]!
  if (letter.wordsFrom !== undefined && part.count >= letter.wordsFrom) return readMonth(text, pos, part, fields)
  if (letter.digits === undefined) return letter.read(text, pos, part, fields)
  return readNumber(parts, index, letter, text, pos, fields)
}

/** A number takes as many digits as it may, but leaves the ones that fields of fixed width behind it need. */
function readNumber(parts: readonly PatternPart[], index: number, letter: Letter, text: string, pos: number, fields: Fields): number {
  const part = parts[index]!
  const [least, most] = digitsOf(part)
  const signed = (part.letter === 'u' || part.letter === 'y') && /[+-]/.test(text[pos] ?? '') ? 1 : 0
  let end = pos + signed
  while (end < text.length && end - pos - signed < most && isDigit(text.charCodeAt(end))) end++
  if (least < most) end = Math.max(pos + signed + least, end - reserved(parts, index + 1))
  if (end - pos - signed < least || end > text.length) return -1
  const digits = text.slice(pos, end)
  if (!/^[+-]?\d+$/.test(digits)) return -1
  const twoDigitYear = part.count === 2 && (part.letter === 'y' || part.letter === 'u')
  return letter.read(twoDigitYear ? String(2000 + Number(digits)) : digits, 0, part, fields) === -1 ? -1 : end
}

function digitsOf({ letter, count }: PatternPart): readonly [least: number, most: number] {
  if (letter === 'y' || letter === 'u') return count === 2 ? [2, 2] : [count, 19]
  if (count === 1 || letter === 'n' || letter === 'A') return [count, 19]
  return letter === 'D' ? [count, 3] : [count, count]
}

function reserved(parts: readonly PatternPart[], from: number): number {
  let digits = 0
  for (const part of parts.slice(from)) {
    const letter =
      part.letter === 'S' ? part.count : letters[part.letter]?.digits && !(part.letter === 'M' && part.count > 2) ? digitsOf(part)[0] : 0
    if (letter === 0 || (part.letter !== 'S' && digitsOf(part)[0] !== digitsOf(part)[1])) return digits
    digits += letter
  }
  return digits
}

function readFraction(text: string, pos: number, count: number, fields: Fields): number {
  const digits = text.slice(pos, pos + count)
  if (digits.length < count || !/^\d+$/.test(digits)) return -1
  fields.nano = Number(digits.padEnd(9, '0'))
  return pos + count
}

function readZone(text: string, pos: number, fields: Fields): number {
  const id = /^[A-Za-z0-9_+\-/:~]+/.exec(text.slice(pos, pos + 64))?.[0] ?? ''
  for (let length = id.length; length > 0; length--) {
    const name = id.slice(0, length)
    const found = findZone(abbreviated[name] ?? name)
    if (found === undefined) continue
    fields.zone = found
    return pos + length
  }
  return -1
}

/** `X` takes a Z for zero, `x` does not, and `Z` is `+0000`. */
function readOffset(text: string, pos: number, letter: string, fields: Fields): number {
  if (letter === 'X' && text[pos] === 'Z') {
    fields.zone = findZone('Z')!
    return pos + 1
  }
  const digits = /^[+-]\d{2}(?::?\d{2}(?::?\d{2})?)?/.exec(text.slice(pos, pos + 9))?.[0] ?? ''
  if (parseOffset(digits) === undefined) return -1
  fields.zone = findZone(digits)!
  return pos + digits.length
}

function resolve(fields: Fields): number | undefined {
  const { hour = fields.hour12 === undefined ? 0 : fields.hour12 + (fields.amPm ?? 0) * 12, minute = 0, second = 0, nano = 0 } = fields
  const date = resolveDate(fields)
  if (date === undefined) return undefined
  if (hour === 24 && (minute > 0 || second > 0 || nano > 0)) return undefined
  const time = fields.milliOfDay ?? ((hour * 60 + minute) * 60 + second) * 1_000 + Math.floor(nano / 1e6)
  const local = date + time
  if (!(Math.abs(local) < maxInstant)) return undefined
  return fields.zone === undefined ? local : instantOf(local, fields.zone)
}

/** A day beyond the end of its month is the last one, up to 31. */
function resolveDate({ year, yearOfEra, era, month: monthOfYear, day, dayOfYear }: Fields): number | undefined {
  const known = year ?? (yearOfEra === undefined ? undefined : era === 0 ? 1 - yearOfEra : yearOfEra)
  if (known === undefined || Math.abs(known) > 270_000) return undefined
  if (dayOfYear !== undefined) return utc(known, 1, dayOfYear)
  if (monthOfYear === undefined || day === undefined) return undefined
  const last = new Date(utc(known, monthOfYear + 1, 0)).getUTCDate()
  return utc(known, monthOfYear, Math.min(day, last))
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}
