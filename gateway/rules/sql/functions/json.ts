// Arrays and objects, and the tests for what is not there [AWS iot-sql-functions].
import { assign, isArray, isObject, member, toIndex, type Value } from '../value.ts'
import { TooMuchWork } from '../work.ts'
import type { FunctionTable } from './table.ts'
import { slice } from './text.ts'

export const json = {
  get: {
    params: 'collection, key',
    arity: [2, 2],
    dependsOn: 'arguments',
    summary:
      'The element of an Array or the character of a String at an index counted from 0, or the value of an Object’s key. The key of an Object must be a String.',
    examples: [
      ["get(['a', 'b'], 1)", "'b'"],
      ["get(['a', 'b'], '1')", "'b'"],
      ["get('abc', 0)", "'a'"],
      ['get({"a key": 5}, \'a key\')', '5'],
      ['get([1], -1)', 'undefined'],
      ["get(5, 'x')", 'undefined'],
    ],
    star: true,
    call: ([collection, key]) => {
      if (isObject(collection)) return typeof key === 'string' ? member(collection, key) : undefined
      if (!isArray(collection) && typeof collection !== 'string') return undefined
      const index = toIndex(key)
      if (index === undefined || index < 0) return undefined
      if (isArray(collection)) return collection[index]
      return slice(collection, index, index + 1) || undefined
    },
  },
  get_or_default: {
    params: 'expression [, default]',
    arity: [1, 2],
    dependsOn: 'arguments',
    summary: 'The value of the expression, or the default where it is Undefined or Null, or where an external function in it fails.',
    examples: [
      ["get_or_default(null, 'd')", "'d'"],
      ['get_or_default(5)', '5'],
      ['get_or_default(null)', 'undefined'],
      ["get_or_default('x', null)", "'x'"],
    ],
    since: '2016-03-23',
    lazy: ([expression, otherwise]) => attempt(expression!) ?? otherwise?.(),
    call: ([value, otherwise]) => value ?? otherwise,
  },
  isNull: {
    params: 'value',
    arity: [1, 1],
    dependsOn: 'arguments',
    summary: 'True for Null and for nothing else.',
    examples: [
      ['isNull(null)', 'true'],
      ["isNull('')", 'false'],
    ],
    call: ([value]) => value === null,
  },
  isUndefined: {
    params: 'value',
    arity: [1, 1],
    dependsOn: 'arguments',
    summary: 'True for Undefined and for nothing else.',
    examples: [
      ['isUndefined(floor([]))', 'true'],
      ['isUndefined(null)', 'false'],
    ],
    since: '2016-03-23',
    call: ([value]) => value === undefined,
  },
  transform: {
    params: "'enrichArray', Object, Array",
    arity: [3, 3],
    dependsOn: 'arguments',
    summary: 'Each object of the Array with the members of the Object added; those win (U-33). At most 128 KiB.',
    examples: [
      ["transform('enrichArray', {'id': 7}, [{'v': 1}, {'v': 2}])", "[{'v': 1, 'id': 7}, {'v': 2, 'id': 7}]"],
      ["transform('other', {}, [])", 'undefined'],
    ],
    since: '2016-03-23',
    call: ([mode, added, array]) => {
      if (mode !== 'enrichArray' || !isObject(added) || !isArray(array)) return undefined
      const size = JSON.stringify(added).length
      if (size * array.length > 2 * maxOutputBytes) return undefined
      const result = array.map((element) => (isObject(element) ? merge(element, added) : element))
      return Buffer.byteLength(JSON.stringify(result)) > maxOutputBytes ? undefined : result
    },
  },
} as const satisfies FunctionTable

const maxOutputBytes = 128 * 1024

function merge(...objects: readonly { readonly [key: string]: Value }[]): Value {
  const merged: Record<string, Value> = {}
  for (const object of objects) for (const key of Object.keys(object)) assign(merged, key, object[key])
  return merged
}

/** Only external functions fail; all others are Undefined instead. */
function attempt(expression: () => Value): Value {
  try {
    return expression()
  } catch (error) {
    if (error instanceof TooMuchWork) throw error
    return undefined
  }
}
