// The whole registry of rule actions: from this table come the schema of a rule's actions, their docs and what they do.
import { z } from 'zod'
import type { ActionDeps, ActionKind, Sink } from './action.ts'
import { http } from './http.ts'
import { log } from './log.ts'
import { keepOrder } from './order.ts'
import { isLocalOnly } from './params.ts'
import { republish } from './republish.ts'
import { withRetries, withShare } from './retry.ts'
import { sns } from './sns.ts'
import { sqs } from './sqs.ts'
import { createTroubles } from './troubles.ts'

export const actions = { sqs, sns, republish, http, log } as const satisfies Record<string, ActionKind<unknown>>

export type ActionName = keyof typeof actions
export const actionNames = Object.keys(actions) as ActionName[]

const known = actionNames.join(', ')

/** One entry of a rule's `actions`, or its `errorAction`: exactly one member, named like the action [AWS API_Action]. */
export const actionSchema = z
  .strictObject(
    {
      sqs: sqs.params.optional(),
      sns: sns.params.optional(),
      republish: republish.params.optional(),
      http: http.params.optional(),
      log: log.params.optional(),
    } satisfies Record<ActionName, z.ZodType>,
    {
      error: (issue) => {
        if (issue.code !== 'unrecognized_keys') return `must be an object with one member, the action: ${known}`
        return `unknown action ${issue.keys.map((key) => `"${key}"`).join(', ')}; known are ${known}`
      },
    },
  )
  .refine((entry) => Object.values(entry).filter((params) => params !== undefined).length === 1, {
    error: `must hold exactly one action, one of ${known}`,
    when: ({ issues }) => issues.length === 0,
  })

export type ActionEntry = z.infer<typeof actionSchema>

export function actionNameOf(entry: ActionEntry): ActionName {
  return actionNames.find((name) => entry[name] !== undefined)!
}

/**
 * The sink of one action of one rule, with its retries and its order. It resolves when the target has accepted; when it rejects
 * and the signal has not aborted, the delivery is given up for good. Throws RULE_INVALID where a template does not parse.
 */
export function bindAction(entry: ActionEntry, deps: ActionDeps): Sink {
  const name = actionNameOf(entry)
  const kind: ActionKind<unknown> = actions[name]
  const target = kind.bind(entry[name], deps)
  if (kind.ownRetries) return target
  const { pattern, targetOf, orderOf } = target
  const troubles = createTroubles(deps, target)
  const retried = withRetries(target, deps, troubles)
  const sink = orderOf ? keepOrder(retried, orderOf, deps.tails) : retried
  return pattern !== undefined && targetOf ? withShare(sink, { ...target, targetOf }, troubles) : sink
}

/** The parameters in use that AWS does not have, as `sqs.groupId`; `log` for an action that is local as a whole. */
export function localOnlyIn(entry: ActionEntry): readonly string[] {
  const name = actionNameOf(entry)
  const { params } = actions[name]
  if (isLocalOnly(params)) return [name]
  const used = entry[name] as Readonly<Record<string, unknown>>
  return Object.entries<z.ZodType>(params.shape)
    .filter(([param, schema]) => isLocalOnly(schema) && used[param] !== schema.safeParse(undefined).data)
    .map(([param]) => `${name}.${param}`)
}
