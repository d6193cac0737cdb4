// What the digits of a decimal say: whether a double shows the number, and how BigDecimal writes it. This is the quick way, in one look
// at the text; the decimal library is asked only where it must be.

import { isShortest, mostPlaces } from './shortest.ts'

/** Most significant digits of a Decimal. */
export const maxSignificant = 34

/** Every decimal of so many significant digits survives a double. */
const safeDigits = 15
/** The shortest text of a double never has more. */
const maxShortest = 17
/** Within these, a double has its full precision, and a Decimal neither ends nor becomes 0. */
const nearExponent = 290
/** `String` writes a double of at least 1e-6 and below 1e21 without an exponent. */
const leastPlain = -6
const mostPlain = 20

const plus = 0x2b
const minus = 0x2d
const dot = 0x2e
const zero = 0x30
const nine = 0x39

export function isDigit(code: number): boolean {
  return code >= zero && code <= nine
}

/** A number in a text. Filled anew for each number, so that nothing is made for it. */
export interface Shape {
  /** Index behind the number, in the text. */
  end: number
  /** Place of the first digit that is not 0, from the start of the number; -1 where all are. */
  first: number
  /** Place of the last one. */
  last: number
  /** How many digits there are from the first to the last. */
  digits: number
  /** Decimal exponent of the first: 0 in 1.5, 2 in 123, -3 in 0.001. */
  exponent: number
  /** Neither an exponent, nor zeros at either end that `String` would leave out. */
  canonical: boolean
}

export function createShape(): Shape {
  return { end: 0, first: -1, last: -1, digits: 0, exponent: 0, canonical: true }
}

/** Looks at the number that begins at `start`: a valid one, which ends where no character of a number follows. */
export function look(text: string, start: number, shape: Shape): void {
  const lead = text.charCodeAt(start) === minus ? start + 1 : start
  const whole = digitsEnd(text, lead)
  const hasFraction = text.charCodeAt(whole) === dot
  const end = hasFraction ? digitsEnd(text, whole + 1) : whole
  const hasExponent = (text.charCodeAt(end) | 0x20) === 0x65
  let first = lead
  while (first < end && isZeroOrDot(text.charCodeAt(first))) first++
  let last = end - 1
  while (last > first && isZeroOrDot(text.charCodeAt(last))) last--
  const leadsWithZeros = text.charCodeAt(lead) === zero && whole > lead + 1
  shape.first = first === end ? -1 : first - start
  shape.last = last - start
  shape.digits = last - first + (first < whole && last > whole ? 0 : 1)
  shape.exponent = first < whole ? whole - first - 1 : whole - first
  shape.canonical = !hasExponent && !leadsWithZeros && (!hasFraction || last === end - 1)
  shape.end = hasExponent ? lookAtExponent(text, end + 1, shape) : end
}

function digitsEnd(text: string, start: number): number {
  let i = start
  for (let code = text.charCodeAt(i); code >= zero && code <= nine; code = text.charCodeAt(++i));
  return i
}

function isZeroOrDot(code: number): boolean {
  return code === zero || code === dot
}

/** Adds the exponent, and returns the index behind it. */
function lookAtExponent(text: string, start: number, shape: Shape): number {
  const sign = text.charCodeAt(start)
  let i = sign === minus || sign === plus ? start + 1 : start
  let power = 0
  for (let code = text.charCodeAt(i); code >= zero && code <= nine; code = text.charCodeAt(++i)) power = power * 10 + code - zero
  shape.exponent += sign === minus ? -power : power
  return i
}

const ofShortest = createShape()

/** Whether the number is exactly the one that the shortest text of the double shows. False for more than 34 digits, which are rounded first. */
export function shows(double: number, text: string, shape: Shape): boolean {
  const { first, digits, exponent, canonical } = shape
  if (first === -1) return true
  if (digits > maxShortest || double === 0 || !Number.isFinite(double)) return false
  if (digits <= safeDigits && exponent > -nearExponent && exponent < nearExponent) return true
  const places = digits - 1 - exponent
  if (places >= 0 && places <= mostPlaces) {
    const known = isShortest(double, lastEight(text, shape.last), places)
    if (known !== undefined) return known
  }
  const shortest = String(double)
  if (canonical && exponent >= leastPlain && exponent <= mostPlain) return shortest === text
  look(shortest, 0, ofShortest)
  return exponent === ofShortest.exponent && digits === ofShortest.digits && digitsOf(text, shape) === digitsOf(shortest, ofShortest)
}

/** Of a number of more digits. */
function lastEight(text: string, last: number): number {
  let value = 0
  let scale = 1
  for (let i = last; scale < 1e8; i--) {
    const code = text.charCodeAt(i)
    if (code === dot) continue
    value += (code - zero) * scale
    scale *= 10
  }
  return value
}

function digitsOf(text: string, { first, last }: Shape): string {
  return text.slice(first, last + 1).replace('.', '')
}

export function isWhole({ first, digits, exponent }: Shape): boolean {
  return first === -1 || exponent >= digits - 1
}

/**
 * The number as BigDecimal writes it: with an exponent below 1E-6 and from 1E34 on, without zeros at the end of a fraction, and without
 * the `.0` of a whole Decimal. Undefined where that needs arithmetic: more than 34 digits, or an exponent near the end of Decimal.
 */
export function bigDecimalText(text: string, shape: Shape): string | undefined {
  const { first, digits, exponent, canonical } = shape
  if (first === -1) return '0'
  if (digits > maxSignificant || exponent <= -nearExponent || exponent >= nearExponent) return undefined
  if (canonical && exponent >= leastPlain && exponent < maxSignificant) return text
  return (text.charCodeAt(0) === minus ? '-' : '') + placed(digitsOf(text, shape), exponent)
}

/** The digits of a number whose first has this exponent. */
function placed(digits: string, exponent: number): string {
  if (exponent >= maxSignificant || exponent < leastPlain) return withExponent(digits, exponent)
  if (exponent >= digits.length - 1) return digits.padEnd(exponent + 1, '0')
  if (exponent >= 0) return `${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`
  return `0.${digits.padStart(digits.length - exponent - 1, '0')}`
}

function withExponent(digits: string, exponent: number): string {
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : ''
  return `${digits[0]}${fraction}E${exponent < 0 ? '-' : '+'}${Math.abs(exponent)}`
}

/** Digits beyond these change a rounding to 34 only by not being 0. */
const keptDigits = 60
const farthestExponent = 1_000_000

/** A text of any length as one of at most about 80 characters, which rounds to the same Decimal. */
export function shortened(text: string): string {
  if (text.length <= 2 * keptDigits) return text
  const [, sign = '', whole = '', fraction = '', power = '0'] = /^(-?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? []
  const digits = whole + fraction
  const first = digits.search(/[1-9]/)
  if (first === -1) return '0'
  const sticky = /[1-9]/.test(digits.slice(first + keptDigits)) ? '1' : ''
  const exponent = Math.max(-farthestExponent, Math.min(farthestExponent, whole.length - first + Number(power)))
  return `${sign}0.${digits.slice(first, first + keptDigits)}${sticky}e${exponent}`
}
