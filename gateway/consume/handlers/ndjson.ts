// Append each message to a file, one JSON document a line.
import { type FileHandle, open } from 'node:fs/promises'
import { resolve } from 'node:path'
import { z } from 'zod'
import { privateFile } from '../../../lib/private-files.ts'
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
    // A file that is there keeps its mode: whoever made it may have readers.
    const file = await open(resolve(directory, path), 'a+', privateFile).catch((cause: NodeJS.ErrnoException) => {
      throw new GatewayError('HANDLER_INVALID', `handler ndjson: cannot open ${path} (${cause.code})`, { cause })
    })
    let torn = await endsTorn(file)
    const append = createCoalescer<string>({
      max: 1_000,
      lingerMs: 0,
      clock,
      async flush(lines) {
        const text = `${torn ? '\n' : ''}${lines.join('\n')}\n`
        torn = true
        await file.appendFile(text)
        torn = false
        if (sync) await file.datasync()
        return []
      },
    })
    return { handle: (item) => append(toRecord(item, true)), stop: () => file.close() }
  },
} satisfies HandlerKind<z.infer<typeof params>>

/** A write that was cut short leaves a line without its end, and the next record must not be glued to it. */
async function endsTorn(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat()
  if (size === 0) return false
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1)
  return buffer.toString() !== '\n'
}
