// What the value of an expression depends on, so that it can be computed less often than per message.
import { type Expression, nodesIn } from './ast.ts'
import { findFunction } from './functions/index.ts'
import type { Dependency } from './functions/table.ts'

/** true: every message of a topic gives the same value. */
export function isFixed(expression: Expression): boolean {
  return nodesIn(expression).every((node) => dependencyOf(node) !== 'message')
}

/** What the node adds to the dependencies of its parts. External functions have no row of their own here. */
function dependencyOf(node: Expression): Dependency {
  if (node.kind === 'call') return findFunction(node.name.toLowerCase(), {})?.dependsOn ?? 'message'
  return readsPayloadItself(node) ? 'message' : 'arguments'
}

function readsPayloadItself({ kind }: Expression): boolean {
  return kind === 'name' || kind === 'star' || kind === 'variable' || kind === 'query' || kind === 'exists'
}

/** The top-level keys of the payload that the expression reads. undefined: it can read more than these keys. */
export function keysIn(expression: Expression): readonly string[] | undefined {
  const keys: string[] = []
  for (const node of nodesIn(expression)) {
    if (node.kind === 'name') keys.push(node.name)
    else if (readsPayloadItself(node)) return undefined
  }
  return keys
}
