// The table of rule actions. The schema of a rule's actions, their docs and the doctor's checks come from it.
import { z } from 'zod'
import type { Metrics } from '../observe/metrics.ts'
import type { ActionDeps, ActionKind, BoundAction, NamedTarget } from './action.ts'
import { http } from './http.ts'
import { log } from './log.ts'
import { isLocalOnly } from './params.ts'
import { republish } from './republish.ts'
import { sns } from './sns.ts'
import { sqs } from './sqs.ts'

export const actions = { sqs, sns, republish, http, log } as const satisfies Record<string, ActionKind<unknown>>

export type ActionName = keyof typeof actions
export const actionNames = Object.keys(actions) as ActionName[]

const known = actionNames.join(', ')

type Members = { [N in ActionName]: z.ZodOptional<(typeof actions)[N]['params']> }
// Safe: each member is made from the row of its name.
const members = Object.fromEntries(actionNames.map((name) => [name, actions[name].params.optional()])) as unknown as Members

/** One entry of a rule's `actions`, or its `errorAction`: exactly one member, named like the action [AWS API_Action]. */
export const actionSchema = z
  .strictObject(members, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return `must be an object with one member, the action: ${known}`
      return `unknown action ${issue.keys.map((key) => `"${key}"`).join(', ')}; known are ${known}`
    },
  })
  .refine((entry) => Object.values(entry).filter((params) => params !== undefined).length === 1, {
    error: `must hold exactly one action, one of ${known}`,
    when: ({ issues }) => issues.length === 0,
  })

export type ActionEntry = z.infer<typeof actionSchema>

export function actionNameOf(entry: ActionEntry): ActionName {
  return actionNames.find((name) => entry[name] !== undefined)!
}

/** One action with the parameters of a rule. Throws RULE_INVALID where a template does not parse. */
export function bindAction(entry: ActionEntry, deps: ActionDeps): BoundAction {
  const name = actionNameOf(entry)
  const kind: ActionKind<unknown> = actions[name]
  return { ...kind.bind(entry[name], deps), ownRetries: kind.ownRetries === true }
}

/** What the action of this name delivers to, such as `queue`. Returns `target` for a name that is not in the table. */
export function nounOf(name: string): string {
  return Object.hasOwn(actions, name) ? actions[name as ActionName].noun : 'target'
}

/** Bodies that targets of this kind have accepted. */
export function deliveredTo(noun: string, metrics: Pick<Metrics, 'series'>): number {
  const series = metrics.series('action.delivered')
  return series.reduce((sum, { labels, value }) => (nounOf(labels.action ?? '') === noun ? sum + value : sum), 0)
}

/** The target that the entry names. undefined: the action has one target for all rules. */
export function namedTargetOf(entry: ActionEntry): NamedTarget | undefined {
  const name = actionNameOf(entry)
  const kind: ActionKind<unknown> = actions[name]
  return kind.target(entry[name])
}

/** The parameters in use that AWS does not have, such as `sqs.groupId`. For an action that AWS does not have: its name. */
export function localOnlyIn(entry: ActionEntry): readonly string[] {
  const name = actionNameOf(entry)
  const { params } = actions[name]
  if (isLocalOnly(params)) return [name]
  const used = entry[name] as Readonly<Record<string, unknown>>
  return Object.entries<z.ZodType>(params.shape)
    .filter(([param, schema]) => isLocalOnly(schema) && used[param] !== schema.safeParse(undefined).data)
    .map(([param]) => `${name}.${param}`)
}
