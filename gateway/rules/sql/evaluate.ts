// What the compiler makes of an expression, and what it knows while it does.
import type { Expression, SqlVersion } from './ast.ts'
import type { NumberMode } from './number.ts'
import type { Resolvers } from './resolvers.ts'
import type { Scope } from './scope.ts'
import type { Value } from './value.ts'

/** `row` is what names are looked up in: the payload, or the element of a nested query. */
export type Evaluate = (scope: Scope, row: Value) => Value

export interface CompileContext {
  readonly sql: string
  readonly version: SqlVersion
  readonly mode: NumberMode
  readonly resolvers: Resolvers
  readonly variables: ReadonlyMap<string, Evaluate>
  /** What the author should know although the statement is valid. */
  readonly warnings: string[]
  /** The calls of functions that AWS allows only so often in a statement. */
  readonly counts: Map<string, number>
  /** In a nested query: the name that means the element itself. */
  readonly nested?: { readonly alias?: string }
  /** Sees every part's value as it is computed. */
  readonly trace?: (node: Expression, value: Value) => void
}

export type Compile = (node: Expression, context: CompileContext) => Evaluate
