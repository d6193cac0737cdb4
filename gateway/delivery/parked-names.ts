// Names of the directories of parked messages: `<rule>.<action>.<hash of the target>`, at most 155 characters, safe for file systems.
import type { ActionRef } from '../actions/action.ts'
import type { Rule, RuleSet } from '../rules/rule-set.ts'

export function nameOf({ rule, action }: ActionRef): string {
  return `${rule}.${action}`
}

/** undefined: not a directory of parked messages. Earlier versions named the action by its index: `<rule>.<index>`. */
export function refOf(name: string): ActionRef | undefined {
  const [, rule, action] = /^(\w+)\.(\d+|[a-zA-Z]\w*\.[\da-f]{16})$/.exec(name) ?? []
  return rule === undefined || action === undefined ? undefined : { rule, action }
}

/**
 * Index of the action that a reference names, or -1. Where the rule lacks it, and has one action of that name only, the target of that
 * action was edited: parked messages follow it. A reference by index names the action at that index now.
 */
export function indexOf({ outlets }: Rule, { action }: ActionRef): number {
  if (/^\d+$/.test(action)) return Number(action) < outlets.length ? Number(action) : -1
  const exact = outlets.findIndex(({ ref }) => ref.action === action)
  if (exact >= 0) return exact
  const [name] = action.split('.', 1)
  const edited = outlets.findIndex((outlet) => outlet.action === name)
  return edited === outlets.findLastIndex((outlet) => outlet.action === name) ? edited : -1
}

/** The reference that names the action now; the same reference where the rule lacks the action or `names` has both. */
export function currentRef(found: ActionRef, rules: RuleSet, names: readonly string[]): ActionRef {
  const rule = rules.named(found.rule)
  const current = rule?.outlets[indexOf(rule, found)]?.ref ?? found
  return names.includes(nameOf(current)) ? found : current
}
