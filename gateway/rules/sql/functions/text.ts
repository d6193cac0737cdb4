// Strings in and out. Other types convert first; Null and Undefined make the result Undefined [AWS iot-sql-functions].
import { roundTo, toDouble } from '../number.ts'
import { bounded, isArray, maxTextLength, toIndex, toNumber, toText, type Value } from '../value.ts'
import type { FunctionTable, SqlFunction } from './table.ts'

export const text = {
  chr: {
    params: 'Int',
    arity: [1, 1],
    dependsOn: 'arguments',
    summary: 'The ASCII character of a code, 0 … 127; Decimals are rounded down.',
    examples: [
      ['chr(65)', "'A'"],
      ["chr('65.4')", "'A'"],
      ['chr(5000)', 'undefined'],
    ],
    call: ([value]) => {
      const code = toCount(value)
      return code === undefined || code < 0 || code > 127 ? undefined : String.fromCharCode(code)
    },
  },
  concat: {
    params: '[value, …]',
    arity: [0, Number.POSITIVE_INFINITY],
    dependsOn: 'arguments',
    summary:
      'One argument: itself (X-9). Any Array: one flat Array, Arrays spliced and others appended. Else text, if at least one argument is a String (U-29).',
    examples: [
      ["concat('he', 'is', 'man')", "'heisman'"],
      ["concat(1, 'hello')", "'1hello'"],
      ["concat([1, 2, 3], 'hello', [4, 5, 6])", "[1, 2, 3, 'hello', 4, 5, 6]"],
      ['concat(1)', '1'],
      ['concat(1, 2)', 'undefined'],
      ['concat()', 'undefined'],
    ],
    call: concat,
  },
  endswith: pair('Whether the first String ends with the second.', (a, b) => a.endsWith(b), [
    ["endswith('cat', 'at')", 'true'],
    ['endswith(515, 5)', 'true'],
    ["endswith(null, 'x')", 'undefined'],
  ]),
  indexof: {
    ...pair('The first place of the second String in the first, counted from 0; -1 where it is not (U-30). Not for Arrays.', indexOf, [
      ["indexof('abcd', 'bc')", '1'],
      ["indexof('abcd', 'x')", '-1'],
      ["indexof(['a'], 'a')", 'undefined'],
    ]),
    since: '2016-03-23',
    call: ([left, right]) => {
      const a = isArray(left) ? undefined : toText(left)
      const b = isArray(right) ? undefined : toText(right)
      return a === undefined || b === undefined ? undefined : indexOf(a, b)
    },
  },
  length: {
    ...single('The number of characters.', countCharacters, [
      ["length('hi')", '2'],
      ['length(false)', '5'],
    ]),
    since: '2016-03-23',
  },
  lower: single('In lower case.', (value) => value.toLowerCase(), [["lower(['HELLO'])", '\'["hello"]\'']]),
  lpad: padded('Adds that many spaces in front, 0 … 1000.', (value, spaces) => spaces + value, [
    ["lpad('hello', 2)", "'  hello'"],
    ["lpad('x', true)", 'undefined'],
  ]),
  ltrim: single('Without spaces and tabs in front (X-10).', (value) => value.slice(leading(value)), [["ltrim(' h i ')", "'h i '"]]),
  numbytes: {
    ...single('The number of bytes in UTF-8.', (value) => Buffer.byteLength(value), [["numbytes('€')", '3']]),
    since: '2016-03-23',
  },
  replace: {
    params: 'String, String, String',
    arity: [3, 3],
    dependsOn: 'arguments',
    summary: 'Every occurrence of the second String replaced by the third, taken literally.',
    examples: [
      ["replace('abcdabcd', 'b', 'x')", "'axcdaxcd'"],
      ["replace('a$1', '$1', 'x')", "'ax'"],
    ],
    call: ([value, target, replacement]) => {
      const source = toText(value)
      const from = toText(target)
      const to = toText(replacement)
      return source === undefined || from === undefined || to === undefined ? undefined : replaceAll(source, from, to)
    },
  },
  rpad: padded('Adds that many spaces behind, 0 … 1000.', (value, spaces) => value + spaces, [['rpad(1, 3)', "'1   '"]]),
  rtrim: single('Without spaces and tabs behind.', (value) => value.slice(0, trailing(value)), [["rtrim(' h i ')", "' h i'"]]),
  startswith: pair('Whether the first String starts with the second.', (a, b) => a.startsWith(b), [
    ["startswith('ranger', 'ran')", 'true'],
  ]),
  substring: {
    params: 'String, Int [, Int]',
    arity: [2, 3],
    dependsOn: 'arguments',
    summary:
      'The characters from one index, counted from 0, up to but without another. Indices are clamped, Decimals lose their fraction (X-2).',
    examples: [
      ["substring('012345', 2.745)", "'2345'"],
      ['substring(123, 2)', "'3'"],
      ["substring('012345', -1)", "'012345'"],
      ["substring('012345', 1, 3)", "'12'"],
      ["substring('012345', 3, 1)", "''"],
      ["substring('012345', 'x')", 'undefined'],
    ],
    call: (args) => {
      const source = toText(args[0])
      const start = toIndex(args[1])
      const end = args.length < 3 ? Number.POSITIVE_INFINITY : toIndex(args[2])
      return source === undefined || start === undefined || end === undefined ? undefined : slice(source, start, end)
    },
  },
  trim: single(
    'Without white space at both ends.',
    (value) => value.slice(leading(value, whiteSpace), Math.max(leading(value, whiteSpace), trailing(value, whiteSpace))),
    [["trim(' hi ')", "'hi'"]],
  ),
  upper: single('In upper case.', (value) => value.toUpperCase(), [["upper('hello')", "'HELLO'"]]),
} as const satisfies FunctionTable

type Examples = SqlFunction['examples']

function single(summary: string, compute: (value: string) => Value, examples: Examples): SqlFunction {
  const call: SqlFunction['call'] = ([value]) => {
    const known = toText(value)
    return known === undefined ? undefined : compute(known)
  }
  return { params: 'String', arity: [1, 1], dependsOn: 'arguments', summary, examples, call }
}

function pair(summary: string, compute: (a: string, b: string) => Value, examples: Examples): SqlFunction {
  const call: SqlFunction['call'] = ([left, right]) => {
    const a = toText(left)
    const b = toText(right)
    return a === undefined || b === undefined ? undefined : compute(a, b)
  }
  return { params: 'String, String', arity: [2, 2], dependsOn: 'arguments', summary, examples, call }
}

function padded(summary: string, compute: (value: string, spaces: string) => string, examples: Examples): SqlFunction {
  const call: SqlFunction['call'] = ([value, count]) => {
    const known = toText(value)
    const spaces = toCount(count)
    return known === undefined || spaces === undefined
      ? undefined
      : bounded(compute(known, ' '.repeat(Math.min(1000, Math.max(0, spaces)))))
  }
  return { params: 'String, Int', arity: [2, 2], dependsOn: 'arguments', summary, examples, call }
}

/** A count or a code: rounded down, where an index is cut. */
function toCount(value: Value): number | undefined {
  const number = toNumber(value)
  return number === undefined ? undefined : toDouble(roundTo(number, 'floor'))
}

function concat(args: readonly Value[]): Value {
  if (args.length === 1) return args[0]
  if (args.some(isArray)) return args.flatMap((arg) => (isArray(arg) ? arg : [arg]))
  if (!args.some((arg) => typeof arg === 'string')) return undefined
  let joined = ''
  for (const arg of args) {
    const known = toText(arg)
    if (known === undefined || joined.length + known.length > maxTextLength) return undefined
    joined += known
  }
  return bounded(joined)
}

function replaceAll(source: string, from: string, to: string): Value {
  const length = source.length + countOf(source, from) * (to.length - from.length)
  return length > maxTextLength ? undefined : bounded(source.replaceAll(from, () => to))
}

/** How often `replaceAll` replaces; an empty text is between all characters. */
function countOf(source: string, wanted: string): number {
  if (wanted.length === 0) return source.length + 1
  let count = 0
  for (let at = source.indexOf(wanted); at !== -1; at = source.indexOf(wanted, at + wanted.length)) count++
  return count
}

const surrogate = /[\ud800-\udfff]/

/** Characters are code points: no result ever ends in half of one. */
export function countCharacters(value: string): number {
  if (!surrogate.test(value)) return value.length
  let count = 0
  for (const _ of value) count++
  return count
}

export function slice(value: string, start: number, end: number): string {
  const from = Math.max(0, start)
  const to = Math.max(from, end)
  return surrogate.test(value) ? [...value].slice(from, to).join('') : value.slice(from, to)
}

function indexOf(value: string, wanted: string): number {
  const index = value.indexOf(wanted)
  return index <= 0 ? index : countCharacters(value.slice(0, index))
}

const blank = new Set([' ', '\t'])
const whiteSpace = new Set([' ', '\t', '\n', '\v', '\f', '\r'])

function leading(value: string, spaces = blank): number {
  let index = 0
  while (index < value.length && spaces.has(value[index]!)) index++
  return index
}

function trailing(value: string, spaces = blank): number {
  let index = value.length
  while (index > 0 && spaces.has(value[index - 1]!)) index--
  return index
}
