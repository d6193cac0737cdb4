// A small state on disk in two files that are written in turns, in place. While one is written the other is whole and synced, so a crash
// leaves the last state or the one before. Nothing is created or renamed for a write, so the file system has no journal entry to write.
//
//   cursor     <crc32 in hex> {"number":41,"segment":7, …}      spaces up to a whole page
//   cursor.2   <crc32 in hex> {"number":40,"segment":7, …}
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { ZodType } from 'zod'
import type { SpoolFile, SpoolFs } from './fs.ts'

export interface Turns<T> {
  /** `undefined`: there was none. `'damaged'`: there was one, and it cannot be trusted. */
  readonly found: T | undefined | 'damaged'
  /** A write has succeeded, or an earlier run left a state. */
  exists(): boolean
  /** Resolves when it is on disk. After a rejection the state before still stands. */
  write(state: T): Promise<void>
  /** Creates both files again with the next writes: somebody has removed them. */
  forget(): Promise<void>
  close(): Promise<void>
}

const pageBytes = 4096

export const turnNames = (name: string) => [name, `${name}.2`] as const

export async function openTurns<T extends object>(fs: SpoolFs, dir: string, name: string, schema: ZodType<T>): Promise<Turns<T>> {
  const names = turnNames(name)
  let files: (SpoolFile | undefined)[] = []
  const present = await fs.list(dir)
  const stored = await Promise.all(names.map((each) => (present.includes(each) ? read(fs, join(dir, each), schema) : undefined)))
  const [a, b] = stored.map((found) => (typeof found === 'object' ? found.number : -1)) as [number, number]
  let number = Math.max(a, b)
  /** The one that is not the last. */
  let turn = a > b ? 1 : 0

  const close = async () => {
    const closing = files
    files = []
    for (const file of closing) await file?.close()
  }

  return {
    found: a < 0 && b < 0 ? (stored.includes('damaged') ? 'damaged' : undefined) : (stored[a > b ? 0 : 1] as Stored<T>).state,
    exists: () => number >= 0,
    async write(state) {
      const bytes = toBytes(JSON.stringify({ number: number + 1, ...state }))
      const file = files[turn]
      try {
        if (file) await file.writeThrough(bytes, 0)
        else files[turn] = await create(fs, dir, names[turn]!, bytes)
      } catch (error) {
        files[turn] = undefined // the next write creates it again, whole or not at all
        await file?.close().catch(() => undefined)
        throw error
      }
      number++
      turn = 1 - turn
    },
    forget: () => close().catch(() => undefined),
    close,
  }
}

interface Stored<T> {
  readonly number: number
  readonly state: T
}

async function read<T>(fs: SpoolFs, path: string, schema: ZodType<T>): Promise<Stored<T> | 'damaged'> {
  try {
    const [line = ''] = (await readText(fs, path)).split('\n', 1)
    const [sum, json] = [line.slice(0, 8), line.slice(9).trimEnd()]
    if (sum !== checksum(json)) return 'damaged'
    const { number = 0, ...rest } = JSON.parse(json) // the first version of a cursor had no number
    const parsed = schema.safeParse(rest)
    return parsed.success ? { number, state: parsed.data } : 'damaged'
  } catch (error) {
    // A directory in its place, or a sector that cannot be read. What another user owns is for a person to sort out.
    if (['EISDIR', 'EIO'].includes((error as NodeJS.ErrnoException).code ?? '')) return 'damaged'
    throw error
  }
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
  await fs.rename(`${path}.new`, path).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EISDIR') throw error
    await fs.rename(path, `${path}.corrupt`)
    await fs.rename(`${path}.new`, path)
  })
  await fs.syncDir(dir)
  return fs.open(path, 'r+')
}

function toBytes(json: string): Buffer {
  const line = `${checksum(json)} ${json}\n`
  return Buffer.from(line.padEnd(Math.ceil(line.length / pageBytes) * pageBytes))
}

/** The whole of a small text file. */
async function readText(fs: SpoolFs, path: string): Promise<string> {
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
