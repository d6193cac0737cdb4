// Where the reader is, on disk: rewritten whole into a second file and renamed into place, so a crash leaves the old one or the new one.
//
//   cursor   <crc32 in hex> {"segment":7,"offset":5120,"unsettled":{"6":[400,880]}}
//
// Everything before (segment, offset) is settled, except the records at the offsets listed; everything from there on is not. What was
// settled since the last write comes back after a crash, as duplicates; nothing is ever skipped.
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import * as z from 'zod'
import type { SpoolFs } from './fs.ts'

const schema = z.strictObject({
  segment: z.int().min(0),
  offset: z.int().min(0),
  unsettled: z.record(z.string(), z.array(z.int().min(0))),
})

export type Cursor = z.infer<typeof schema>

const name = 'cursor'

/** `undefined`: there is none yet. `'damaged'`: there is one, and it cannot be trusted; everything must be replayed. */
export async function readCursor(fs: SpoolFs, dir: string): Promise<Cursor | undefined | 'damaged'> {
  if (!(await fs.list(dir)).includes(name)) return undefined
  const text = await readText(fs, join(dir, name))
  const [sum, json = ''] = [text.slice(0, 8), text.slice(9).trimEnd()]
  if (sum !== checksum(json)) return 'damaged'
  const parsed = schema.safeParse(JSON.parse(json))
  return parsed.success ? parsed.data : 'damaged'
}

export async function writeCursor(fs: SpoolFs, dir: string, cursor: Cursor): Promise<void> {
  const json = JSON.stringify(cursor)
  const file = await fs.open(join(dir, `${name}.new`), 'w')
  try {
    await file.write(Buffer.from(`${checksum(json)} ${json}\n`), 0)
    await file.datasync()
  } finally {
    await file.close()
  }
  await fs.rename(join(dir, `${name}.new`), join(dir, name))
  await fs.syncDir(dir)
}

/** The whole of a small text file. */
export async function readText(fs: SpoolFs, path: string): Promise<string> {
  const file = await fs.open(path, 'r')
  try {
    const buffer = Buffer.alloc(await file.size())
    return buffer.toString('utf8', 0, await file.read(buffer, 0))
  } finally {
    await file.close()
  }
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, '0')
}
