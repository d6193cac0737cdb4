// How the gateway remembers what it has acknowledged and not yet delivered.
import { z } from 'zod'

export const spoolSchema = z.strictObject({
  kind: z.enum(['direct']).default('direct').describe('`direct`: acknowledge after the targets accepted'),
  maxBytes: z.number().int().min(1_024).default(67_108_864).describe('payload bytes that may wait; beyond, messages are refused'),
  ackTimeoutMs: z
    .number()
    .int()
    .min(100)
    .default(30_000)
    .describe('`direct`: refuse a message whose targets do not accept it in this time'),
})
