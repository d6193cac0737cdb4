// The log action writes the rule's result to the gateway's own log, for trying rules out.
import { z } from 'zod'
import { bytesOf } from '../message/body.ts'
import { type ActionDeps, type ActionKind, type BoundAction, fromPromise } from './action.ts'

const params = z
  .strictObject({
    maxBytes: z.number().int().min(0).max(65_536).default(1_024).describe('The bytes of the result that are shown. 0 shows none.'),
  })
  .meta({ localOnly: true })

type Params = z.infer<typeof params>

export const log = {
  summary: 'Show the result in the log of the gateway. AWS has no such action; the stack writes to CloudWatch Logs.',
  noun: 'log',
  params,
  target: () => undefined,
  fromCloudFormation: { name: 'CloudwatchLogs', params: () => ({}) },
  bind: bindLog,
} as const satisfies ActionKind<Params>

function bindLog({ maxBytes }: Params, { observe }: ActionDeps): BoundAction {
  return {
    action: 'log',
    deliver: fromPromise(async ({ message, rule, body }) => {
      const { id: messageId, topic } = message
      const bytes = bytesOf(body)
      const shown = bytes.toString('utf8', 0, maxBytes)
      const detail = bytes.length > maxBytes ? `${shown}…` : shown
      observe.record('action.logged', { rule, messageId, topic, bytes: bytes.length, ...(maxBytes > 0 && { detail }) })
    }),
  }
}
