// Finds the calls of a statement, and the line and column of an offset in it.
import { type Call, expressionsOf, nodesIn, type StatementTree } from '../rules/sql/ast.ts'
import type { Found } from './check.ts'
import type { CheckedRule } from './estate.ts'

/** Every call in it, outermost first. */
export function callsIn(tree: StatementTree): readonly Call[] {
  return expressionsOf(tree)
    .flatMap(nodesIn)
    .filter((node) => node.kind === 'call')
}

/** Line and column of an offset in the rule's statement. */
export function placeOf({ path, file: { sql } }: CheckedRule, pos: number): Omit<Found, 'text'> {
  const before = sql.slice(0, pos).split('\n')
  return { file: path, field: 'sql', line: before.length, column: before.at(-1)!.length + 1 }
}
