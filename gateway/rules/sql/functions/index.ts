// Every function of the language, by family. A new one is a new row in its family's table.
import { GatewayError } from '../../../errors.ts'
import { externalFunctions, isExternal, type Resolver, type Resolvers } from '../resolvers.ts'
import type { Scope } from '../scope.ts'
import type { Value } from '../value.ts'
import { context } from './context.ts'
import { crypto } from './crypto.ts'
import { encode } from './encode.ts'
import { json } from './json.ts'
import { math } from './math.ts'
import { regex } from './regex.ts'
import type { FunctionTable, SqlFunction } from './table.ts'
import { text } from './text.ts'
import { time } from './time.ts'

export const families = { math, text, regex, json, encode, crypto, time, context } as const satisfies Readonly<
  Record<string, FunctionTable>
>

const byName: ReadonlyMap<string, SqlFunction> = new Map(
  Object.values(families).flatMap((family: FunctionTable) =>
    Object.entries(family).map(([name, row]) => [name.toLowerCase(), row] as const),
  ),
)

export const functionNames: readonly string[] = [
  ...Object.values(families).flatMap((family) => Object.keys(family)),
  ...Object.keys(externalFunctions),
  'cast',
]

/** The function of a name in lower case. An external one is there only with its resolver. */
export function findFunction(name: string, resolvers: Resolvers): SqlFunction | undefined {
  const known = byName.get(name)
  if (known !== undefined || !isExternal(name)) return known
  const resolve = resolvers[name]
  return (
    resolve && { ...externalFunctions[name], examples: [], dependsOn: 'message', call: (args, scope) => answer(name, resolve, args, scope) }
  )
}

/** A failing external function fails the rule for this message [AWS iot-sql-functions]. */
function answer(name: string, resolve: Resolver, args: readonly Value[], scope: Scope): Value {
  try {
    return resolve(args, scope)
  } catch (cause) {
    throw new GatewayError('RULE_FAILED', `the function ${name} failed`, { cause })
  }
}
