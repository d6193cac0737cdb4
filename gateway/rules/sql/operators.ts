// The binary operators: one function each, from AWS's table of operand types [AWS iot-sql-operators].
import type { BinaryOperator } from './ast.ts'
import { type ArithmeticOperator, arithmetic, compareNumbers, isInt, type NumberMode } from './number.ts'
import { bounded, equals, isArray, isNumeric, toBoolean, toNumber, toText, type Value } from './value.ts'
import { spend } from './work.ts'

export type Operator = (left: Value, right: Value, mode: NumberMode) => Value

export const operators: Readonly<Record<BinaryOperator, Operator>> = {
  OR: (left, right) => logical(left, right, (a, b) => a || b),
  AND: (left, right) => logical(left, right, (a, b) => a && b),
  '=': equals,
  '<>': (left, right) => not(equals(left, right)),
  '<': (left, right) => ordered(left, right, (sign) => sign < 0),
  '<=': (left, right) => ordered(left, right, (sign) => sign <= 0),
  '>': (left, right) => ordered(left, right, (sign) => sign > 0),
  '>=': (left, right) => ordered(left, right, (sign) => sign >= 0),
  IN: contains,
  '+': plus,
  '-': (left, right, mode) => calculate('-', left, right, mode),
  '*': (left, right, mode) => calculate('*', left, right, mode),
  '/': (left, right, mode) => calculate('/', left, right, mode),
  '%': (left, right, mode) => calculate('%', left, right, mode),
}

/** NOT: a Boolean or its text; anything else is Undefined. */
export function not(value: Value): boolean | undefined {
  const known = toBoolean(value)
  return known === undefined ? undefined : !known
}

/** `-`, `*`, `/` and `%`. A String that reads as a number is a Decimal, so `'7' / 2` keeps its fraction. */
export function calculate(operator: ArithmeticOperator, left: Value, right: Value, mode: NumberMode): Value {
  const a = toNumber(left)
  const b = toNumber(right)
  if (a === undefined || b === undefined) return undefined
  const ints = typeof left !== 'string' && typeof right !== 'string' && isInt(a) && isInt(b)
  return arithmetic(operator, a, b, ints, mode)
}

/** The strict table (U-15): an operand that is no Boolean makes the whole Undefined, whatever the other is. */
function logical(left: Value, right: Value, combine: (a: boolean, b: boolean) => boolean): Value {
  const a = toBoolean(left)
  const b = toBoolean(right)
  return a === undefined || b === undefined ? undefined : combine(a, b)
}

/** Numbers and numeric text only; text has no alphabetical order (U-16). */
function ordered(left: Value, right: Value, holds: (sign: number) => boolean): Value {
  const a = toNumber(left)
  const b = toNumber(right)
  return a === undefined || b === undefined ? undefined : holds(compareNumbers(a, b))
}

/** Any String makes it concatenation. */
function plus(left: Value, right: Value, mode: NumberMode): Value {
  if (typeof left === 'string' || typeof right === 'string') {
    const a = toText(left)
    const b = toText(right)
    return a === undefined || b === undefined ? undefined : bounded(a + b)
  }
  return isNumeric(left) && isNumeric(right) ? arithmetic('+', left, right, isInt(left) && isInt(right), mode) : undefined
}

function contains(left: Value, right: Value): Value {
  if (left === undefined || !isArray(right)) return undefined
  spend(right.length)
  return right.some((item) => equals(left, item) === true)
}
