// Names the actions of a rule by what they are, and not by their place in the rule's file.
import { createHash } from 'node:crypto'
import type { ActionRef } from './action.ts'
import { type ActionEntry, actionNameOf, namedTargetOf } from './index.ts'

/** Actions of one name and target are told apart by their order among themselves. */
export function refsOf(rule: string, entries: readonly ActionEntry[]): readonly ActionRef[] {
  const counts = new Map<string, number>()
  return entries.map((entry) => {
    const name = actionNameOf(entry)
    const target = namedTargetOf(entry)?.text ?? ''
    const key = `${name} ${target}`
    const nth = counts.get(key) ?? 0
    counts.set(key, nth + 1)
    return { rule, action: `${name}.${hashOf([target, nth])}` }
  })
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)
}
