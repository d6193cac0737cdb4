// POST each message to a URL.
import { z } from 'zod'
import { GatewayError } from '../../errors.ts'
import { PermanentFailure } from '../failure.ts'
import type { HandlerKind } from './handler.ts'

const params = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).describe('where to send it'),
  headers: z.record(z.string(), z.string()).default({}).describe('sent with each request'),
  timeoutMs: z.number().int().min(50).max(600_000).default(5_000).describe('give up after this many milliseconds'),
})

/** Of the 4xx, these may be answered otherwise another time [RFC 9110, RFC 6585, RFC 8470]. */
const passing = new Set([408, 409, 425, 429])

export const http = {
  summary: 'POST each message to a URL, with its key as Idempotency-Key.',
  params,
  bind: async ({ url, headers, timeoutMs }, { clock, fetch }) => ({
    async handle(item, signal) {
      const response = await fetch(url, {
        method: 'POST',
        body: Buffer.from(item.body),
        headers: { 'content-type': 'application/json', ...headers, 'idempotency-key': item.key },
        redirect: 'error',
        signal: clock.deadline(timeoutMs, signal),
      })
      await response.body?.cancel()
      if (response.ok) return
      if (response.status >= 400 && response.status < 500 && !passing.has(response.status)) {
        throw new PermanentFailure(`the webhook answered ${response.status}`)
      }
      throw new GatewayError('HANDLER_FAILED', `the webhook answered ${response.status}`)
    },
  }),
} satisfies HandlerKind<z.infer<typeof params>>
