// Numbers in, numbers out: the real functions in IEEE double, the others exact [AWS iot-sql-functions].
import { absolute, fromDouble, type Numeric, numberOf, roundTo, signOf, toBigInt, toDouble, truncateTo } from '../number.ts'
import { calculate } from '../operators.ts'
import { isNumeric, toNumber, type Value } from '../value.ts'
import type { FunctionTable, Site, SqlFunction } from './table.ts'

export const math = {
  abs: {
    params: 'Decimal',
    arity: [1, 1],
    dependsOn: 'arguments',
    summary: 'The absolute value. A numeric String converts.',
    examples: [
      ['abs(-5)', '5'],
      ["abs('-7.25')", '7.25'],
      ['abs(true)', 'undefined'],
    ],
    call: ([value], _scope, { mode }) => exact(value, absolute, mode),
  },
  acos: real('The inverse cosine in radians; Undefined outside -1 … 1.', Math.acos, [['acos(2)', 'undefined']]),
  asin: real('The inverse sine in radians; Undefined outside -1 … 1.', Math.asin, [['asin(0)', '0']]),
  atan: real('The inverse tangent in radians.', Math.atan, [['atan(0)', '0']]),
  atan2: real2('y, x', 'The angle of the point (x, y) in radians, counter-clockwise from the positive x axis.', Math.atan2, [
    ['atan2(0, 1)', '0'],
  ]),
  bitand: bits('The bits both have.', (a, b) => a & b, [['bitand(13, 5)', '5']]),
  bitor: bits('The bits either has.', (a, b) => a | b, [['bitor(8, 5)', '13']]),
  bitxor: bits('The bits just one has.', (a, b) => a ^ b, [['bitxor(13, 5)', '8']]),
  bitnot: {
    params: 'Int',
    arity: [1, 1],
    dependsOn: 'arguments',
    summary: 'Every bit turned, in two’s complement (X-7). A Decimal is rounded down first.',
    examples: [
      ['bitnot(13)', '-14'],
      ["bitnot('abc')", 'undefined'],
    ],
    call: ([value]) => {
      const whole = toWhole(value)
      return whole === undefined ? undefined : numberOf(String(~whole))
    },
  },
  ceil: rounded('The nearest Int that is not smaller.', 'ceil', [
    ['ceil(1.2)', '2'],
    ['ceil(-1.2)', '-1'],
  ]),
  cos: real('The cosine of an angle in radians.', Math.cos, [['cos(0)', '1']]),
  cosh: real('The hyperbolic cosine.', Math.cosh, [['cosh(0)', '1']]),
  exp: real('e to the power of the argument.', Math.exp, [['exp(0)', '1']]),
  floor: rounded('The nearest Int that is not larger.', 'floor', [
    ['floor(1.2)', '1'],
    ["floor('-1.2')", '-2'],
  ]),
  ln: real('The natural logarithm; Undefined for 0 and below (U-27).', Math.log, [
    ['ln(1)', '0'],
    ['ln(0)', 'undefined'],
  ]),
  log: real('The logarithm to base 10; Undefined for 0 and below (U-27).', Math.log10, [['log(100)', '2']]),
  mod: remainder([
    ['mod(8, 3)', '2'],
    ["mod('5.5', 2)", '1.5'],
    ['mod(1, 0)', 'undefined'],
  ]),
  nanvl: {
    params: 'value, default',
    arity: [2, 2],
    dependsOn: 'arguments',
    summary: 'The value, or the default where the value is Undefined or Null.',
    examples: [
      ['nanvl(null, 3)', '3'],
      ["nanvl('text', 3)", "'text'"],
    ],
    call: ([value, otherwise]) => value ?? otherwise,
  },
  power: real2('Decimal, Decimal', 'The first argument to the power of the second.', Math.pow, [['power(2, 5)', '32']]),
  remainder: remainder([['remainder(-8, 3)', '-2']]),
  round: rounded('The nearest Int; halves go away from zero (X-5).', 'halfUp', [
    ['round(2.5)', '3'],
    ['round(-1.5)', '-2'],
    ['round(1.2)', '1'],
  ]),
  sign: {
    params: 'Decimal',
    arity: [1, 1],
    dependsOn: 'arguments',
    summary: '-1, 0 or 1.',
    examples: [
      ["sign('-7')", '-1'],
      ['sign(0)', '0'],
    ],
    call: ([value]) => {
      const number = toNumber(value)
      return number === undefined ? undefined : signOf(number)
    },
  },
  sin: real('The sine of an angle in radians.', Math.sin, [['sin(0)', '0']]),
  sinh: real('The hyperbolic sine.', Math.sinh, [['sinh(0)', '0']]),
  sqrt: real('The square root; Undefined for negative numbers (U-27).', Math.sqrt, [
    ["sqrt('9')", '3'],
    ['sqrt(-1)', 'undefined'],
  ]),
  tan: real('The tangent of an angle in radians.', Math.tan, [['tan(0)', '0']]),
  tanh: real('The hyperbolic tangent.', Math.tanh, [['tanh(0)', '0']]),
  trunc: {
    params: 'Decimal, Int',
    arity: [2, 2],
    dependsOn: 'arguments',
    summary: 'Cut after that many decimal places (0 … 34), towards zero.',
    examples: [
      ['trunc(2.3123, 2)', '2.31'],
      ['trunc(2.888, 2)', '2.88'],
      ["trunc('-2.888', 1)", '-2.8'],
      ["trunc(2.888, '2')", 'undefined'],
    ],
    call: ([value, places], _scope, { mode }) => {
      const number = toNumber(value, mode)
      if (number === undefined || !isNumeric(places)) return undefined
      return truncateTo(number, Math.min(34, Math.max(0, toDouble(roundTo(places, 'floor')))), mode)
    },
  },
} as const satisfies FunctionTable

type Examples = SqlFunction['examples']

function exact(value: Value, apply: (number: Numeric) => Numeric, mode: Site['mode']): Value {
  const number = toNumber(value, mode)
  return number === undefined ? undefined : apply(number)
}

function real(summary: string, compute: (x: number) => number, examples: Examples): SqlFunction {
  return {
    params: 'Decimal',
    arity: [1, 1],
    dependsOn: 'arguments',
    summary: `${summary} In double precision.`,
    examples,
    call: ([value], _scope, { mode }) => {
      const number = toNumber(value)
      return number === undefined ? undefined : fromDouble(compute(toDouble(number)), mode)
    },
  }
}

function real2(params: string, summary: string, compute: (x: number, y: number) => number, examples: Examples): SqlFunction {
  return {
    params,
    arity: [2, 2],
    dependsOn: 'arguments',
    summary: `${summary} In double precision.`,
    examples,
    call: ([left, right], _scope, { mode }) => {
      const a = toNumber(left)
      const b = toNumber(right)
      return a === undefined || b === undefined ? undefined : fromDouble(compute(toDouble(a), toDouble(b)), mode)
    },
  }
}

function rounded(summary: string, rounding: 'floor' | 'ceil' | 'halfUp', examples: Examples): SqlFunction {
  return {
    params: 'Decimal',
    arity: [1, 1],
    dependsOn: 'arguments',
    summary,
    examples,
    call: ([value], _scope, { mode }) => exact(value, (number) => roundTo(number, rounding), mode),
  }
}

function remainder(examples: Examples): SqlFunction {
  return {
    params: 'Decimal, Decimal',
    arity: [2, 2],
    dependsOn: 'arguments',
    summary: 'The remainder of a division, with the sign of the first argument (U-19); the same as `%`.',
    examples,
    call: ([left, right], _scope, { mode }) => calculate('%', left, right, mode),
  }
}

function bits(summary: string, combine: (a: bigint, b: bigint) => bigint, examples: Examples): SqlFunction {
  return {
    params: 'Int, Int',
    arity: [2, 2],
    dependsOn: 'arguments',
    summary: `${summary} Decimals are rounded down first.`,
    examples,
    call: ([left, right]) => {
      const a = toWhole(left)
      const b = toWhole(right)
      return a === undefined || b === undefined ? undefined : numberOf(String(combine(a, b)))
    },
  }
}

function toWhole(value: Value): bigint | undefined {
  const number = toNumber(value)
  return number === undefined ? undefined : toBigInt(roundTo(number, 'floor'))
}
