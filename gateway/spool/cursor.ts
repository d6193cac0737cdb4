// Where the reader is, on disk: two files that take turns, written in place. While one is written the other is whole and synced, so a
// crash leaves the last cursor or the one before. Nothing is created or renamed each time, so the disk has no journal to write: devices that
// wait for an acknowledgement at that moment hardly notice.
//
//   cursor     <crc32 in hex> {"number":41,"segment":7,"offset":5120,"unsettled":{"6":[400,880]}}      spaces up to a whole page
//   cursor.2   <crc32 in hex> {"number":40, …
//
// Everything before (segment, offset) is settled, except the records at the offsets listed; everything from there on is not. What was
// settled since the last write comes back after a crash, as duplicates; nothing is ever skipped.
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import * as z from 'zod'
import type { SpoolFile, SpoolFs } from './fs.ts'

const schema = z.strictObject({
  segment: z.int().min(0),
  offset: z.int().min(0),
  unsettled: z.record(z.string(), z.array(z.int().min(0))),
})
/** Cursors of before had no number. */
const storedSchema = schema.extend({ number: z.int().min(0).default(0) })

export type Cursor = z.infer<typeof schema>

const names = ['cursor', 'cursor.2'] as const
const pageBytes = 4096

export interface CursorFiles {
  /** `undefined`: there was none. `'damaged'`: there was one, and it cannot be trusted; everything must be replayed. */
  readonly found: Cursor | undefined | 'damaged'
  /** Resolves when it is on disk. After a rejection the one before still stands. */
  write(cursor: Cursor): Promise<void>
  close(): Promise<void>
}

export async function openCursor(fs: SpoolFs, dir: string): Promise<CursorFiles> {
  const files: (SpoolFile | undefined)[] = []
  const present = await fs.list(dir)
  const stored = await Promise.all(names.map((name) => (present.includes(name) ? read(fs, join(dir, name)) : undefined)))
  const [a, b] = stored.map((found) => (typeof found === 'object' ? found.number : -1)) as [number, number]
  let number = Math.max(a, b)
  /** The one that is not the last. */
  let turn = a > b ? 1 : 0

  const write = async ({ segment, offset, unsettled }: Cursor) => {
    const bytes = toBytes(JSON.stringify({ number: number + 1, segment, offset, unsettled }))
    const file = files[turn]
    try {
      if (file) await file.writeThrough(bytes, 0)
      else files[turn] = await create(fs, dir, names[turn]!, bytes)
    } catch (error) {
      files[turn] = undefined // made anew, whole or not at all
      await file?.close().catch(() => undefined)
      throw error
    }
    number++
    turn = 1 - turn
  }

  return {
    found: toFound(stored),
    write,
    async close() {
      for (const file of files) await file?.close()
    },
  }
}

type Stored = z.infer<typeof storedSchema>

function toFound(stored: readonly (Stored | 'damaged' | undefined)[]): Cursor | undefined | 'damaged' {
  const whole = stored.filter((found) => typeof found === 'object').sort((a, b) => b.number - a.number)
  if (whole[0]) {
    const { number: _, ...cursor } = whole[0]
    return cursor
  }
  return stored.includes('damaged') ? 'damaged' : undefined
}

async function read(fs: SpoolFs, path: string): Promise<Stored | 'damaged'> {
  const [line = ''] = (await readText(fs, path)).split('\n', 1)
  const [sum, json] = [line.slice(0, 8), line.slice(9).trimEnd()]
  if (sum !== checksum(json)) return 'damaged'
  const parsed = storedSchema.safeParse(JSON.parse(json))
  return parsed.success ? parsed.data : 'damaged'
}

async function create(fs: SpoolFs, dir: string, name: string, bytes: Uint8Array): Promise<SpoolFile> {
  const path = join(dir, name)
  const file = await fs.open(`${path}.new`, 'w')
  try {
    await file.write(bytes, 0)
    await file.datasync()
  } finally {
    await file.close()
  }
  await fs.rename(`${path}.new`, path)
  await fs.syncDir(dir)
  return fs.open(path, 'r+')
}

function toBytes(json: string): Buffer {
  const line = `${checksum(json)} ${json}\n`
  return Buffer.from(line.padEnd(Math.ceil(line.length / pageBytes) * pageBytes))
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
