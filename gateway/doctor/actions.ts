// The actions of all rules as one list, each with its place in its rule file.
import { type ActionEntry, type ActionName, actionNameOf, namedTargetOf, nounOf } from '../actions/index.ts'
import type { CheckedRule, Estate } from './estate.ts'

export interface PlacedAction {
  readonly rule: CheckedRule
  readonly entry: ActionEntry
  readonly name: ActionName
  /** `actions[0]`, `errorAction`. */
  readonly at: string
}

/** An action of one name, with its parameters. */
export interface ActionNamed<N extends ActionName> extends PlacedAction {
  readonly params: NonNullable<ActionEntry[N]>
}

/** An action that names its target, such as a queue. */
export interface TargetedAction extends PlacedAction {
  readonly target: string
  /** `actions[0].sqs.queueUrl` */
  readonly field: string
}

export function actionsIn({ rules }: Pick<Estate, 'rules'>): readonly PlacedAction[] {
  return rules.flatMap((rule) => [
    ...rule.file.actions.map((entry, index) => ({ rule, entry, name: actionNameOf(entry), at: `actions[${index}]` })),
    ...(rule.file.errorAction
      ? [{ rule, entry: rule.file.errorAction, name: actionNameOf(rule.file.errorAction), at: 'errorAction' }]
      : []),
  ])
}

export function actionsNamed<N extends ActionName>(estate: Pick<Estate, 'rules'>, name: N): readonly ActionNamed<N>[] {
  return actionsIn(estate).flatMap((action) => {
    const params = action.entry[name]
    return params === undefined ? [] : [{ ...action, params }]
  })
}

/** The actions whose targets are of this kind: `queue`, `topic`. */
export function actionsTo(estate: Pick<Estate, 'rules'>, noun: string): readonly TargetedAction[] {
  return actionsIn(estate).flatMap((action) => {
    const target = nounOf(action.name) === noun ? namedTargetOf(action.entry) : undefined
    return target ? [{ ...action, target: target.text, field: `${action.at}.${action.name}.${target.param}` }] : []
  })
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
