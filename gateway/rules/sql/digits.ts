// Decides from its digits whether a double shows a decimal: whether the shortest text of the double is the same number. This is the
// quick way; the decimal library is asked only where it must be.

/** Most significant digits of a Decimal. */
export const maxSignificant = 34

/** Every decimal of so many significant digits survives a double, without a large exponent. */
const safeDigits = 15

/** What the text of a JSON number shows. Memory for one number after another. */
interface Shape {
  /** Index of the first digit that is not 0; -1 where all are. */
  first: number
  /** Index of the last one. */
  last: number
  /** Decimal exponent of the first: 0 in 1.5, 2 in 123, -3 in 0.001. */
  exponent: number
  hasExponent: boolean
}

const shapes: readonly [Shape, Shape] = [
  { first: -1, last: -1, exponent: 0, hasExponent: false },
  { first: -1, last: -1, exponent: 0, hasExponent: false },
]

/** Most digits of the shortest text of a double. */
const maxShortest = 17

const minus = 0x2d
const dot = 0x2e
const zero = 0x30
const nine = 0x39

function look(text: string, shape: Shape): void {
  let point = -1
  let end = text.length
  shape.first = -1
  for (let i = 0; i < end; i++) {
    const code = text.charCodeAt(i)
    if (code > zero && code <= nine) {
      if (shape.first === -1) shape.first = i
      shape.last = i
    } else if (code === dot) point = i
    else if (code === 0x65 || code === 0x45) end = i
  }
  if (point === -1) point = end
  shape.hasExponent = end < text.length
  shape.exponent = point > shape.first ? point - shape.first - 1 : point - shape.first
  if (shape.hasExponent) shape.exponent += Number(text.slice(end + 1))
}

/** Compares the significant digits, whatever dots are among them. */
function sameDigits(a: string, b: string, shapeA: Shape, shapeB: Shape): boolean {
  let i = shapeA.first
  let j = shapeB.first
  for (;;) {
    if (a.charCodeAt(i) === dot) i++
    if (b.charCodeAt(j) === dot) j++
    if (i > shapeA.last || j > shapeB.last) return i > shapeA.last && j > shapeB.last
    if (a.charCodeAt(i++) !== b.charCodeAt(j++)) return false
  }
}

/** `text` is a JSON number or an SQL number, and `double` is `Number(text)`. False also for numbers of more than 34 digits, which are rounded first. */
export function shows(double: number, text: string): boolean {
  if (text.length <= safeDigits && !hasExponent(text)) return true
  if (isCanonical(text) && double !== 0) {
    if (hasManyDigits(text)) return false
    const shortest = String(double)
    if (shortest === text) return true
    if (!hasExponent(shortest)) return false
  }
  const [own, other] = shapes
  look(text, own)
  if (own.first === -1) return double === 0
  if (double === 0 || !Number.isFinite(double) || own.last - own.first > maxSignificant) return false
  const shortest = String(double)
  look(shortest, other)
  return own.exponent === other.exponent && sameDigits(text, shortest, own, other)
}

/** Written as `String` writes a number that needs no exponent: no zeros at either end that say nothing. */
function isCanonical(text: string): boolean {
  const start = text.charCodeAt(0) === minus ? 1 : 0
  if (text.charCodeAt(start) === zero && text.charCodeAt(start + 1) !== dot) return false
  return !hasExponent(text) && (text.charCodeAt(text.length - 1) !== zero || !text.includes('.'))
}

/** More than the 17 digits that the shortest text of a double has. Of a canonical text. */
function hasManyDigits(text: string): boolean {
  if (text.length <= maxShortest + 2 || text.charCodeAt(text.length - 1) === zero) return false
  const start = text.charCodeAt(0) === minus ? 1 : 0
  return text.charCodeAt(start) !== zero
}

function hasExponent(text: string): boolean {
  return text.includes('e') || text.includes('E')
}

/** Beyond these, a Decimal ends or becomes 0: the library knows where. */
const farExponent = 900

/**
 * The number as BigDecimal writes it, found by moving digits: with an exponent below 1E-6 and from 1E34 on, without zeros at the end of a
 * fraction, and without the `.0` of a whole Decimal. Undefined where that needs the library: more than 34 digits, or a far exponent.
 */
export function bigDecimalText(double: number, text: string): string | undefined {
  if (text.length <= maxSignificant && Math.abs(double) >= 1e-6 && isCanonical(text)) return text
  const [own] = shapes
  look(text, own)
  const { first, last, exponent } = own
  if (first === -1) return '0'
  if (last - first > maxSignificant || Math.abs(exponent) > farExponent) return undefined
  const digits = text.slice(first, last + 1).replace('.', '')
  if (digits.length > maxSignificant) return undefined
  return (text.charCodeAt(0) === minus ? '-' : '') + placed(digits, exponent)
}

/** The digits of a number whose first has this exponent. */
function placed(digits: string, exponent: number): string {
  if (exponent >= maxSignificant || exponent < -6) return withExponent(digits, exponent)
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

export function isWholeText(text: string): boolean {
  return !text.includes('.') && !text.includes('E')
}
