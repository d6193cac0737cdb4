// Numbers as AWS has them: Ints of up to 34 digits and Decimals of 34 significant digits [AWS iot-sql-data-types]. A double stands for
// the decimal its shortest text shows (0.1 is exactly 0.1), and only a number that no double shows becomes an Exact. So every value has one
// form: two doubles are equal, or ordered, exactly as their decimals are.
import { Decimal as Library } from 'decimal.js'
import { bigDecimalText, createShape, isWhole, look, maxSignificant, type Shape, shortened, shows } from './digits.ts'

const Decimal = Library.clone({ precision: 34, rounding: Library.ROUND_HALF_UP, modulo: Library.ROUND_DOWN, maxE: 999, minE: -1032 })
type Decimal = InstanceType<typeof Decimal>

declare global {
  interface JSON {
    /** ES2026: a value that JSON.stringify writes as this text. */
    rawJSON(text: string): unknown
  }
}

/** A number no double shows, or (2015-10-08 only) a whole Decimal, which is not an Int there. */
export class Exact {
  readonly int: boolean
  /** As BigDecimal writes it, without the `.0` of a whole Decimal. Most are only passed on, so the library is asked when it must be. */
  readonly known: string | undefined
  private made: Decimal | undefined

  constructor(value: Decimal | string, int: boolean) {
    this.int = int
    this.known = typeof value === 'string' ? value : undefined
    this.made = typeof value === 'string' ? undefined : value
  }

  get decimal(): Decimal {
    this.made ??= new Decimal(this.known!)
    return this.made
  }

  toJSON(): unknown {
    return JSON.rawJSON(numberText(this))
  }
}

export type Numeric = number | Exact

/** 2015-10-08 leaves `10.0` a Decimal; later versions make every whole Decimal an Int. */
export interface NumberMode {
  readonly wholeDecimals: boolean
}
export const wholeAsInt: NumberMode = { wholeDecimals: false }
export const wholeAsDecimal: NumberMode = { wholeDecimals: true }

const numericText = /^-?\d+(?:\.\d+)?(?:[eE]-?\d+)?$/

const shape = createShape()

/** Any JSON number text or SQL number. Undefined beyond 9.99…E999, the end of Decimal. */
export function numberOf(text: string, mode: NumberMode = wholeAsInt): Numeric | undefined {
  look(text, 0, shape)
  return numberWith(text, shape, mode, Number(text))
}

/** The same of a text that has been looked at, and whose nearest double is known. */
export function numberWith(text: string, seen: Shape, mode: NumberMode, double: number): Numeric | undefined {
  const isDecimal = mode.wholeDecimals && /[.eE]/.test(text)
  if (shows(double, text, seen) && !(isDecimal && Number.isInteger(double))) return double + 0
  const known = bigDecimalText(text, seen)
  if (known === undefined) return settle(new Decimal(shortened(text)).toSignificantDigits(maxSignificant), isDecimal ? mode : wholeAsInt)
  return new Exact(known, !isDecimal && isWhole(seen) && seen.exponent < maxSignificant)
}

/** The standard conversion of a String to a Decimal: a narrower pattern than any host parser's [AWS iot-sql-data-types, to decimal]. */
export function parseNumeric(text: string, mode: NumberMode = wholeAsInt): Numeric | undefined {
  return numericText.test(text) ? numberOf(mode.wholeDecimals && !/[.eE]/.test(text) ? `${text}.0` : text, mode) : undefined
}

export function isInt(value: Numeric): boolean {
  return typeof value === 'number' ? Number.isInteger(value) : value.int
}

export function toDouble(value: Numeric): number {
  return typeof value === 'number' ? value : value.decimal.toNumber()
}

/** A result computed in IEEE double; NaN and infinities are Undefined. */
export function fromDouble(value: number, mode: NumberMode): Numeric | undefined {
  if (!Number.isFinite(value)) return undefined
  return mode.wholeDecimals && Number.isInteger(value) ? new Exact(new Decimal(value), false) : value + 0
}

export function compareNumbers(a: Numeric, b: Numeric): number {
  if (typeof a === 'number' && typeof b === 'number') return a < b ? -1 : a > b ? 1 : 0
  return decimalOf(a).comparedTo(decimalOf(b))
}

/** Digits for an Int, BigDecimal's text for a Decimal: an exponent below 1E-6 and where zeros would stand for unknown digits (U-14). */
export function numberText(value: Numeric): string {
  if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 1e21) return String(value)
  if (typeof value === 'number' && Math.abs(value) >= 1e-6 && Math.abs(value) < 1e21) return String(value)
  if (typeof value !== 'number' && value.known !== undefined) {
    return value.int || /[.E]/.test(value.known) ? value.known : `${value.known}.0`
  }
  const decimal = decimalOf(value)
  if (decimal.isInteger() && decimal.e < maxSignificant)
    return typeof value === 'number' || value.int ? decimal.toFixed() : `${decimal.toFixed()}.0`
  if (decimal.e >= -6 && !decimal.isInteger()) return decimal.toFixed()
  return decimal.toExponential().replace('e', 'E')
}

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%'

/** `ints`: both operands were Ints, so the result is one, and a quotient drops its fraction [AWS iot-sql-operators; X-4, U-19, U-20]. */
export function arithmetic(operator: ArithmeticOperator, a: Numeric, b: Numeric, ints: boolean, mode: NumberMode): Numeric | undefined {
  if (!mode.wholeDecimals && typeof a === 'number' && typeof b === 'number') {
    const quick = ints ? safeInts(operator, a, b) : shortDecimals(operator, a, b)
    if (quick !== undefined) return quick + 0
  }
  const x = decimalOf(a)
  const y = decimalOf(b)
  const result = exactly(operator, x, y, ints)
  return result && settle(result, ints ? wholeAsInt : mode)
}

export function negate(value: Numeric): Numeric {
  return typeof value === 'number' ? 0 - value : new Exact(value.decimal.negated(), value.int)
}

export function absolute(value: Numeric): Numeric {
  return typeof value === 'number' ? Math.abs(value) : new Exact(value.decimal.abs(), value.int)
}

export function signOf(value: Numeric): number {
  return Math.sign(typeof value === 'number' ? value : value.decimal.comparedTo(0)) + 0
}

const roundings = {
  floor: Library.ROUND_FLOOR,
  ceil: Library.ROUND_CEIL,
  truncate: Library.ROUND_DOWN,
  halfUp: Library.ROUND_HALF_UP,
} as const
export type Rounding = keyof typeof roundings

/** To a whole number. Halves go away from zero. */
export function roundTo(value: Numeric, rounding: Rounding): Numeric {
  if (typeof value === 'number' && rounding === 'floor') return Math.floor(value) + 0
  if (typeof value === 'number' && rounding === 'truncate') return Math.trunc(value) + 0
  if (typeof value === 'number' && Number.isInteger(value)) return value
  return settle(decimalOf(value).toDecimalPlaces(0, roundings[rounding]), wholeAsInt)!
}

/** Cuts after `places` digits, towards zero. */
export function truncateTo(value: Numeric, places: number, mode: NumberMode): Numeric {
  return isInt(value) ? value : settle(decimalOf(value).toDecimalPlaces(places, Library.ROUND_DOWN), mode)!
}

/** A Decimal of the same value: different from it in 2015-10-08 only. */
export function asDecimal(value: Numeric, mode: NumberMode): Numeric {
  return settle(decimalOf(value), mode)!
}

/** Exactly the integer, for bit operations. The value must be whole. */
export function toBigInt(value: Numeric): bigint {
  return BigInt(decimalOf(value).toFixed())
}

function decimalOf(value: Numeric): Decimal {
  return typeof value === 'number' ? new Decimal(value) : value.decimal
}

function settle(decimal: Decimal, mode: NumberMode): Numeric | undefined {
  if (!decimal.isFinite()) return undefined
  const whole = decimal.isInteger()
  if (whole && mode.wholeDecimals) return new Exact(decimal, false)
  const double = decimal.toNumber()
  if (Number.isFinite(double) && new Decimal(double).eq(decimal)) return double + 0
  return new Exact(decimal, whole && decimal.e < maxSignificant)
}

function exactly(operator: ArithmeticOperator, x: Decimal, y: Decimal, ints: boolean): Decimal | undefined {
  if (operator === '+') return x.plus(y)
  if (operator === '-') return x.minus(y)
  if (operator === '*') return x.times(y)
  if (y.isZero()) return undefined
  if (operator === '%') return x.modulo(y)
  return ints ? x.dividedToIntegerBy(y) : x.dividedBy(y)
}

/** Undefined where a double could lose a digit, or the operation has no result: the exact path decides. */
function safeInts(operator: ArithmeticOperator, a: number, b: number): number | undefined {
  if (!Number.isSafeInteger(a) || !Number.isSafeInteger(b)) return undefined
  if (b === 0 && (operator === '/' || operator === '%')) return undefined
  const result =
    operator === '+' ? a + b : operator === '-' ? a - b : operator === '*' ? a * b : operator === '/' ? (a - (a % b)) / b : a % b
  return Number.isSafeInteger(result) ? result : undefined
}

const scale = 1e6
const maxScaled = 1e15

/**
 * Decimals of up to six places, as sensors send them, without the library: both sides become whole numbers of millionths. A whole number
 * below 10^15 divided by a power of ten is the double that shows exactly that decimal, as 15 digits always survive a double.
 */
function shortDecimals(operator: ArithmeticOperator, a: number, b: number): number | undefined {
  const x = Math.round(a * scale)
  const y = Math.round(b * scale)
  if (x / scale !== a || y / scale !== b || Math.abs(x) > maxScaled || Math.abs(y) > maxScaled) return undefined
  if (operator === '+' || operator === '-') return within(operator === '+' ? x + y : x - y, scale)
  if (operator === '*') return within(x * y, scale * scale)
  if (y === 0) return undefined
  if (operator === '%') return (x % y) / scale
  const quotient = Math.round((x / y) * scale)
  const product = quotient * y
  return Math.abs(quotient) <= maxScaled && Math.abs(product) <= Number.MAX_SAFE_INTEGER && product === x * scale
    ? quotient / scale
    : undefined
}

function within(result: number, divisor: number): number | undefined {
  return Math.abs(result) <= maxScaled ? result / divisor : undefined
}
