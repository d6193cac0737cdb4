// Print a line for each message.
import { z } from 'zod'
import type { HandlerKind } from './handler.ts'
import { toRecord } from './record.ts'

const params = z.strictObject({
  body: z.boolean().default(false).describe('print the body too'),
})

export const log = {
  summary: 'Print a line for each message.',
  params,
  bind: async ({ body }, { print }) => ({ handle: async (item) => print(toRecord(item, body)) }),
} satisfies HandlerKind<z.infer<typeof params>>
