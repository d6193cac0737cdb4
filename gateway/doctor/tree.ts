// Looking into a statement: its calls, and where in the text they stand.
import type { Call, StatementTree } from '../rules/sql/ast.ts'
import type { Found } from './check.ts'
import type { CheckedRule } from './estate.ts'

/** Every call in it, outermost first. */
export function callsIn(tree: StatementTree): readonly Call[] {
  const calls: Call[] = []
  const visit = (node: unknown) => {
    if (typeof node !== 'object' || node === null) return
    if ((node as { readonly kind?: unknown }).kind === 'call') calls.push(node as Call)
    for (const part of Object.values(node)) visit(part)
  }
  visit(tree)
  return calls
}

/** Line and column of an offset in the rule's statement. */
export function placeOf({ path, file: { sql } }: CheckedRule, pos: number): Omit<Found, 'text'> {
  const before = sql.slice(0, pos).split('\n')
  return { file: path, field: 'sql', line: before.length, column: before.at(-1)!.length + 1 }
}
