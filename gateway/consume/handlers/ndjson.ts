// Append each message to a file, one JSON document a line.
import { open } from 'node:fs/promises'
import { resolve } from 'node:path'
import { z } from 'zod'
import { GatewayError } from '../../errors.ts'
import { createCoalescer } from '../coalesce.ts'
import type { HandlerKind } from './handler.ts'
import { toRecord } from './record.ts'

const params = z.strictObject({
  path: z.string().min(1).describe('the file; it is appended to'),
  sync: z.boolean().default(true).describe('a message counts as handled when its line is on the disk, not merely written'),
})

export const ndjson = {
  summary: 'Append each message to a file, one JSON document a line.',
  params,
  async bind({ path, sync }, { clock, directory }) {
    const file = await open(resolve(directory, path), 'a').catch((cause: NodeJS.ErrnoException) => {
      throw new GatewayError('HANDLER_INVALID', `handler ndjson: cannot open ${path} (${cause.code})`, { cause })
    })
    const append = createCoalescer<string>({
      max: 1_000,
      lingerMs: 0,
      clock,
      async flush(lines) {
        await file.appendFile(`${lines.join('\n')}\n`)
        if (sync) await file.datasync()
        return []
      },
    })
    return { handle: (item) => append(toRecord(item, true)), stop: () => file.close() }
  },
} satisfies HandlerKind<z.infer<typeof params>>
