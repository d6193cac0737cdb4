// The journal of sessions on disk: entries appended in groups, and written anew when most of them no longer matter.
//
//   000007.seg   begun │ all there is │ whole │ entry entry … entry │ 0 0 0 …
//                        └ a snapshot ┘          └ since then
//
// A file counts once `whole` is in it, and then its predecessors are deleted: a crash at any point leaves one file that holds everything.
// Every start begins a file if there is room for one, and so does a write after one that failed, because what a failed sync left in the page cache cannot be trusted.
import { join } from 'node:path'
import { GatewayError, textOf } from '../../errors.ts'
import type { Observe } from '../../observe/observe.ts'
import type { SpoolFile, SpoolFs } from '../../spool/fs.ts'
import { createGroupCommit } from '../../spool/group.ts'
import { lockDir } from '../../spool/lock.ts'
import { decodeRecord, encodeRecord, recordSizeLimit } from '../../spool/record.ts'
import { isTorn } from '../../spool/recover.ts'
import {
  createSegment,
  findRecord,
  headerBytes,
  isZero,
  readChunk,
  readHeader,
  type SegmentWriter,
  segmentName,
  segmentNumber,
} from '../../spool/segment.ts'
import { type Entry, fromRecord, toRecord } from './entry.ts'

export interface Journal {
  /** Gives every entry found to `apply`. Rejects with SPOOL_LOCKED or DATA_DIR_UNUSABLE. */
  start(): Promise<void>
  /** Resolves when the entry is on disk and applied, in the order of the calls. Rejects with SESSIONS_FAILED; it is then not applied. */
  append(entry: Entry): Promise<void>
  stop(): Promise<void>
}

/** What the journal is about. */
export interface Journaled {
  apply(entry: Entry): void
  /** Entries that add up to the present state. */
  entries(): Iterable<Entry>
}

export interface FileJournalOptions {
  readonly journaled: Journaled
  /** Created when missing. One gateway per directory. */
  readonly dir: string
  /** Below this a file is never written anew. */
  readonly roomBytes?: number
  readonly salt: number
  readonly observe: Observe
  readonly fs: SpoolFs
}

const MiB = 1024 ** 2
/** A snapshot is written this many bytes at a time, so that it is never in memory whole. */
const chunkBytes = 256 * 1024

/** Nothing outlives the gateway. */
export function createMemoryJournal({ apply }: Pick<Journaled, 'apply'>): Journal {
  return {
    async start() {},
    async append(entry) {
      apply(entry)
    },
    async stop() {},
  }
}

export function createFileJournal(options: FileJournalOptions): Journal {
  const { journaled, dir, salt, observe, fs, roomBytes = 8 * MiB } = options
  let writer: SegmentWriter | undefined
  let limit = 0
  let nextNumber = 1
  let unlock = async () => {}
  let stopped = false
  let failing = false

  /** Writes all there is into a file of its own, which takes the place of those before. */
  const begin = async () => {
    const fresh = await createSegment(fs, dir, nextNumber++, salt, roomBytes)
    try {
      for (const bytes of chunks([{ kind: 'begun', format: 1 }], journaled.entries(), [{ kind: 'whole' }], salt)) await write(fresh, bytes)
    } catch (error) {
      await fresh.close().catch(() => undefined)
      await fs.remove(fresh.segment.path).catch(() => undefined)
      throw error
    }
    await writer?.close().catch(() => undefined)
    writer = fresh
    limit = Math.max(roomBytes, 2 * fresh.segment.bytes)
    await removeBefore(fresh.segment.number)
  }

  const removeBefore = async (number: number) => {
    const old = (await fs.list(dir)).filter((name) => (segmentNumber(name) ?? number) < number)
    for (const name of old) await fs.remove(join(dir, name))
  }

  const commits = createGroupCommit(salt, async (group) => {
    try {
      if (!writer || writer.segment.bytes > limit) await begin()
      await write(writer!, group.buffer.subarray(0, group.bytes))
    } catch (cause) {
      await writer?.close().catch(() => undefined)
      writer = undefined
      if (!failing) observe.record('gateway.degraded', { code: 'SESSIONS_FAILED', detail: textOf(cause) })
      failing = true
      throw new GatewayError('SESSIONS_FAILED', `sessions cannot be written: ${textOf(cause)}`, { cause, details: { dir } })
    }
    if (failing) observe.record('gateway.recovered', { code: 'SESSIONS_FAILED' })
    failing = false
    for (const message of group.messages) journaled.apply(fromRecord(message))
  })

  return {
    async start() {
      try {
        await fs.makeDir(dir)
        unlock = await lockDir(fs, dir)
        const { last, damaged } = await recover(options)
        nextNumber = last + 1
        await begin().catch((error) => {
          // What was found holds everything still, and a disk that is full now may have room when there is something to write.
          if (damaged) throw error
        })
      } catch (cause) {
        await unlock().catch(() => undefined)
        unlock = async () => {}
        if (cause instanceof GatewayError) throw cause
        const message = `the session directory ${dir} cannot be used: ${textOf(cause)}`
        throw new GatewayError('DATA_DIR_UNUSABLE', message, { cause, details: { dir } })
      }
    },
    append(entry) {
      if (stopped) return commits.refuse(new GatewayError('STOPPING', 'the gateway is shutting down'))
      const record = toRecord(entry)
      return commits.append(record, recordSizeLimit(record))
    },
    async stop() {
      if (stopped) return
      stopped = true
      await commits.idle()
      await writer?.close().catch(() => undefined)
      await unlock().catch(() => undefined)
    },
  }
}

async function write(writer: SegmentWriter, bytes: Uint8Array): Promise<void> {
  await writer.append(bytes)
  writer.segment.bytes += bytes.length
}

function* chunks(first: Iterable<Entry>, all: Iterable<Entry>, last: Iterable<Entry>, salt: number): Generator<Buffer> {
  let buffer = Buffer.allocUnsafe(2 * chunkBytes)
  let used = 0
  for (const part of [first, all, last]) {
    for (const entry of part) {
      const record = toRecord(entry)
      const size = recordSizeLimit(record)
      if (used > 0 && used + size > buffer.length) {
        yield buffer.subarray(0, used)
        used = 0
      }
      if (size > buffer.length) buffer = Buffer.allocUnsafe(size)
      used += encodeRecord(buffer, used, record, salt, 0)
    }
  }
  yield buffer.subarray(0, used)
}

/** Applies what the last whole file holds; `last` is the highest number in use. A file with damage in it is kept beside, as evidence and for rescue. */
async function recover({ journaled, dir, observe, fs }: FileJournalOptions): Promise<{ readonly last: number; readonly damaged: boolean }> {
  const names = await fs.list(dir)
  const numbers = names.flatMap((name) => segmentNumber(name) ?? []).sort((a, b) => b - a)
  const last = numbers[0] ?? 0
  for (const number of numbers) {
    const path = join(dir, segmentName(number))
    let whole = false
    await scan(fs, path, ({ kind }) => {
      whole ||= kind === 'whole'
      return whole
    })
    if (!whole) continue
    const lost = await scan(fs, path, (entry) => {
      journaled.apply(entry)
      return false
    })
    if (lost > 0) {
      observe.record('sessions.corrupted', { bytes: lost, detail: `${path}.corrupt` })
      await fs.rename(path, `${path}.corrupt`)
    }
    return { last, damaged: lost > 0 }
  }
  return { last, damaged: false }
}

/** Shows the entries of a file in order, until one is enough. Resolves with the bytes of damage in between. */
async function scan(fs: SpoolFs, path: string, isEnough: (entry: Entry) => boolean): Promise<number> {
  const file = await fs.open(path, 'r')
  try {
    const salt = await readHeader(file)
    const size = salt === undefined ? 0 : await file.size()
    let enough = false
    let lost = 0
    for (let at = headerBytes; at < size && !enough; ) {
      const { next, bad } = await readChunk(file, salt!, at, size, (buffer, start, length) => {
        enough ||= isEnough(fromRecord(decodeRecord(buffer, start, length)))
      })
      at = bad ? await skip(file, salt!, next, size) : next
      if (bad && at < size) lost += at - next
    }
    return lost
  } finally {
    await file.close()
  }
}

/** Behind damage in the middle; the end of the file where a crash has cut the last write short. */
async function skip(file: SpoolFile, salt: number, from: number, size: number): Promise<number> {
  if (await isZero(file, from, size)) return size
  const found = await findRecord(file, salt, from, size)
  return found < size && (await isTorn(file, salt, from, found, size)) ? size : found
}
