// The actions of all rules as one list, with where each stands.
import { type ActionEntry, type ActionName, actionNameOf } from '../actions/index.ts'
import type { CheckedRule, Estate } from './estate.ts'

export interface PlacedAction {
  readonly rule: CheckedRule
  readonly entry: ActionEntry
  readonly name: ActionName
  /** `actions[0]`, `errorAction`. */
  readonly at: string
}

export function actionsIn({ rules }: Pick<Estate, 'rules'>): readonly PlacedAction[] {
  return rules.flatMap((rule) => [
    ...rule.file.actions.map((entry, index) => ({ rule, entry, name: actionNameOf(entry), at: `actions[${index}]` })),
    ...(rule.file.errorAction
      ? [{ rule, entry: rule.file.errorAction, name: actionNameOf(rule.file.errorAction), at: 'errorAction' }]
      : []),
  ])
}

/** Every text of an action's parameters, by its field: `actions[0].http.headers[0].value`. */
export function textsOf({ entry, name, at }: PlacedAction): readonly { readonly field: string; readonly text: string }[] {
  const visit = (value: unknown, field: string): { field: string; text: string }[] => {
    if (typeof value === 'string') return [{ field, text: value }]
    if (Array.isArray(value)) return value.flatMap((item, index) => visit(item, `${field}[${index}]`))
    if (typeof value !== 'object' || value === null) return []
    return Object.entries(value).flatMap(([key, item]) => visit(item, `${field}.${key}`))
  }
  return visit(entry[name], `${at}.${name}`)
}
