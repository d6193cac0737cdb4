// What a function of the language is: one row that says how it is called, what it gives, and proves it with examples.
import type { Expression, SqlVersion } from '../ast.ts'
import type { NumberMode } from '../number.ts'
import type { Scope } from '../scope.ts'
import type { Value } from '../value.ts'

/** Where a call stands in its statement; the same object for every evaluation. */
export interface Site {
  readonly sql: string
  readonly pos: number
  readonly version: SqlVersion
  readonly mode: NumberMode
  /** As they are written. */
  readonly args: readonly Expression[]
  /** The first argument is `*` of the outer statement: the bytes of the message themselves. */
  readonly raw: boolean
}

/** See SqlFunction.dependsOn. */
export type Dependency = 'arguments' | 'topic' | 'message'

export interface SqlFunction {
  /** As printed behind the name: `String, Int [, Int]`. */
  readonly params: string
  /** Fewest and most arguments; any other number makes the call Undefined [AWS iot-sql-data-types; U-13]. */
  readonly arity: readonly [number, number]
  readonly summary: string
  /** Call and result, both SQL, run by a test and printed in docs/sql.md. */
  readonly examples: readonly (readonly [call: string, result: string])[]
  /** The first version that has it; absent: all of them. */
  readonly since?: '2016-03-23'
  /**
   * What the result depends on: on nothing but the arguments, on them and the topic, or on anything else of the message. A call that
   * depends on the topic alone is made once per topic.
   */
  readonly dependsOn: Dependency
  /** Takes `*` as an argument. */
  readonly star?: true
  /** How often AWS lets one statement call it. */
  readonly perStatement?: number
  /** A reason to refuse a call when the statement is compiled. */
  readonly check?: (args: readonly Expression[]) => string | undefined
  call(args: readonly Value[], scope: Scope, site: Site): Value
  /** Instead of `call`, where an argument may fail or is not always wanted. */
  readonly lazy?: (args: readonly (() => Value)[], scope: Scope, site: Site) => Value
}

export type FunctionTable = Readonly<Record<string, SqlFunction>>
