// The values of the language and AWS's standard conversions between them [AWS iot-sql-data-types]. Undefined is JavaScript's, Null is null.
import { compareNumbers, Exact, isInt, type NumberMode, type Numeric, numberText, parseNumeric, roundTo, toDouble } from './number.ts'
import { spend } from './work.ts'

export type Value = undefined | null | boolean | number | string | Exact | readonly Value[] | { readonly [key: string]: Value }
export type Members = { readonly [key: string]: Value }

/** Text that grows beyond this is Undefined rather than the end of the process (U-37). */
export const maxTextLength = 1024 * 1024

export function isNumeric(value: Value): value is Numeric {
  return typeof value === 'number' || value instanceof Exact
}

export function isArray(value: Value): value is readonly Value[] {
  return Array.isArray(value)
}

export function isObject(value: Value): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Exact)
}

export type ValueType = 'Int' | 'Decimal' | 'Boolean' | 'String' | 'Array' | 'Object' | 'Null' | 'Undefined'

export function typeOf(value: Value): ValueType {
  if (value === undefined) return 'Undefined'
  if (value === null) return 'Null'
  if (isNumeric(value)) return isInt(value) ? 'Int' : 'Decimal'
  if (typeof value === 'boolean') return 'Boolean'
  if (typeof value === 'string') return 'String'
  return isArray(value) ? 'Array' : 'Object'
}

/** Int, Decimal, or a String that reads as one; Null too is Undefined here, as every function's own table has it. */
export function toNumber(value: Value, mode?: NumberMode): Numeric | undefined {
  if (typeof value === 'number' || value instanceof Exact) return value
  return typeof value === 'string' ? parseNumeric(value, mode) : undefined
}

/** An index: Decimals and numeric Strings lose their fraction. Beyond 2^53 it is still beyond every length. */
export function toIndex(value: Value): number | undefined {
  const number = toNumber(value)
  return number === undefined ? undefined : toDouble(roundTo(number, 'truncate'))
}

export function toBoolean(value: Value): boolean | undefined {
  if (typeof value === 'boolean') return value
  if (typeof value !== 'string' || value.length > 5) return undefined
  const text = value.toLowerCase()
  return text === 'true' ? true : text === 'false' ? false : undefined
}

export function toText(value: Value): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || value instanceof Exact) return numberText(value)
  if (typeof value === 'boolean') return value ? 'true' : 'false'
  if (value === undefined || value === null) return undefined
  const text = JSON.stringify(value)
  spend(text.length / charactersOfStep)
  return text
}

/** Of the JSON of an array or object. */
const charactersOfStep = 2

/** Of text that a function makes. */
const charactersOfMadeStep = 4

/** The text, or Undefined when it is longer than the bound. */
export function bounded(text: string): string | undefined {
  spend(text.length / charactersOfMadeStep)
  return text.length > maxTextLength ? undefined : text
}

/** `=`: no conversion; Undefined on either side is Undefined, different types are unequal [AWS iot-sql-operators]. */
export function equals(left: Value, right: Value): boolean | undefined {
  if (left === undefined || right === undefined) return undefined
  return same(left, right)
}

const stepsOfObject = 10

function same(left: Value, right: Value): boolean {
  if (left === right) return true
  if (left instanceof Exact || right instanceof Exact) {
    return isNumeric(left) && isNumeric(right) && compareNumbers(left, right) === 0
  }
  if (typeof left === 'object' && left !== null) spend(isArray(left) ? left.length : stepsOfObject)
  if (isArray(left)) return isArray(right) && left.length === right.length && left.every((item, i) => same(item, right[i]))
  if (!isObject(left) || !isObject(right)) return false
  const keys = definedKeys(left)
  return keys.length === definedKeys(right).length && keys.every((key) => Object.hasOwn(right, key) && same(left[key], right[key]))
}

function definedKeys(members: Members): string[] {
  return Object.keys(members).filter((key) => members[key] !== undefined)
}

/** Sets a key as JSON does, `__proto__` included. */
export function assign(target: Record<string, Value>, key: string, value: Value): void {
  if (key === '__proto__') Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true })
  else target[key] = value
}

/** A member of an object by name; Undefined for anything else. */
export function member(value: Value, key: string): Value {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined
}
