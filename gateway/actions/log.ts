// Shows in the gateway's own log that a rule fired, with the result: for trying rules out.
import { z } from 'zod'
import { bytesOf } from '../message/body.ts'
import { type ActionKind, promised, type Target } from './action.ts'

const params = z
  .strictObject({
    maxBytes: z.number().int().min(0).max(65_536).default(1_024).describe('how much of the result is shown; 0: nothing of it'),
  })
  .meta({ localOnly: true })

export const log = {
  summary: 'Show the result in the log of the gateway. Only here: AWS has no such action.',
  params,
  bind: ({ maxBytes }, { observe }): Target => ({
    action: 'log',
    deliver: promised(async ({ message, rule, body }) => {
      const { id: messageId, topic } = message
      const bytes = bytesOf(body)
      const shown = bytes.toString('utf8', 0, maxBytes)
      const detail = bytes.length > maxBytes ? `${shown}…` : shown
      observe.record('action.logged', { rule, messageId, topic, bytes: bytes.length, ...(maxBytes > 0 && { detail }) })
    }),
  }),
} satisfies ActionKind<z.infer<typeof params>>
