// cast(v AS type): the one conversion a statement can ask for by name, and the only one that takes Booleans to numbers [AWS iot-sql-functions].
import { asDecimal, type NumberMode, roundTo, signOf } from '../number.ts'
import { isNumeric, toBoolean, toNumber, toText, type Value } from '../value.ts'

type Target = 'text' | 'int' | 'decimal' | 'boolean'

export interface CastRow {
  readonly to: Target
  readonly since?: '2016-03-23'
}

export const castTypes = {
  string: { to: 'text' },
  nvarchar: { to: 'text' },
  text: { to: 'text' },
  ntext: { to: 'text' },
  varchar: { to: 'text' },
  int: { to: 'int' },
  integer: { to: 'int' },
  double: { to: 'decimal' },
  decimal: { to: 'decimal', since: '2016-03-23' },
  bool: { to: 'boolean', since: '2016-03-23' },
  boolean: { to: 'boolean', since: '2016-03-23' },
} as const satisfies Readonly<Record<string, CastRow>>

export type CastType = keyof typeof castTypes

export const castExamples = [
  ["cast('2.7' as Int)", '2'],
  ['cast(-2.5 as Int)', '-3'],
  ['cast(true as Decimal)', '1'],
  ['cast(0 as Boolean)', 'false'],
  ["cast('1' as Boolean)", 'undefined'],
  ['cast([1, "a"] as String)', '\'[1,"a"]\''],
  ['cast(null as String)', 'undefined'],
] as const

/** An impossible cast is Undefined, and so is every cast of Null. */
export function castTo(target: Target, value: Value, mode: NumberMode): Value {
  if (target === 'text') return toText(value)
  if (target === 'boolean') return isNumeric(value) ? signOf(value) !== 0 : toBoolean(value)
  const number = typeof value === 'boolean' ? Number(value) : toNumber(value, mode)
  if (number === undefined) return undefined
  return target === 'int' ? roundTo(number, 'floor') : asDecimal(number, mode)
}
