// The journal of sessions on disk: entries appended in groups, and written anew when most of them no longer matter.
//
//   000007.seg   begun │ all there is │ whole │ entry entry … entry │ 0 0 0 …
//                        └ a snapshot ┘          └ since then
//
// A file counts once `whole` is in it, and then its predecessors are deleted: a crash at any point leaves one file that holds everything.
// Every start begins a file if there is room for one, and so does a write after one that failed, because what a failed sync left in the page cache cannot be trusted.
import { join } from 'node:path'
import type { Clock } from '../../../lib/clock.ts'
import { GatewayError, textOf } from '../../errors.ts'
import { createCondition } from '../../observe/condition.ts'
import type { Observe } from '../../observe/observe.ts'
import { bodyRecordBytes, encodeBody } from '../../spool/codec.ts'
import type { SpoolFs } from '../../spool/fs.ts'
import { type CommitBatch, GroupCommit } from '../../spool/group-commit.ts'
import { lockDir } from '../../spool/lock.ts'
import type { PlaceLosses } from '../../spool/losses.ts'
import { type SegmentWriter, segmentName, segmentNumber } from '../../spool/segment.ts'
import { turnNames } from '../../spool/turns.ts'
import { type Entry, encodeEntry } from './entry.ts'
import { type Counts, openSaved, recoverJournal, type SavedFiles } from './recover.ts'
import { beginSnapshot, type Snapshot } from './snapshot.ts'

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
  counts(): Counts
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
  readonly clock: Pick<Clock, 'every' | 'monotonic'>
  /** Where lost messages are accounted for. */
  readonly losses: PlaceLosses
}

/** An entry on its way to the disk, and its bytes there. */
interface EncodedEntry {
  readonly entry: Entry
  readonly body: Buffer
}

const MiB = 1024 ** 2
const watchEveryMs = 1_000

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
  const { journaled, dir, salt, observe, fs, clock, losses, roomBytes = 8 * MiB } = options
  const trouble = createCondition({ observe, clock }, { code: 'SESSIONS_FAILED' })
  let writer: SegmentWriter | undefined
  let next: Snapshot | undefined
  let limit = 0
  let nextNumber = 1
  let unlock = async () => {}
  let stopped = false
  /** The file in use is gone; the next write begins another. */
  let vanished = false
  let saved: SavedFiles | undefined
  let unsaved = false
  let saving: Promise<void> | undefined
  let endWatch = () => {}

  const save = async (closed: boolean) => {
    if (!writer || !unsaved) return
    unsaved = false
    const { number, bytes } = writer.segment
    const { sessions, retained, queued } = journaled.counts()
    await saved?.write({ segment: number, bytes, sessions, retained, queued, closed }).catch((error) => {
      unsaved = true
      observe.record('spool.failed', { code: error.code ?? 'unknown', detail: `sessions: ${textOf(error)}` })
    })
  }

  /** Looks for files that somebody removes while the gateway runs. Memory holds all there is, so they are written again. */
  const watch = async () => {
    const segment = writer?.segment
    const names = await fs.list(dir)
    if (!turnNames('state').every((name) => names.includes(name))) {
      await saved?.forget()
      unsaved = true
    }
    if (!segment || segment !== writer?.segment || names.includes(segmentName(segment.number))) return
    vanished = true
    observe.record('sessions.corrupted', { detail: `${segment.path} is missing; it is written again` })
    await append({ kind: 'released', client: '', numbers: [] })
  }

  const tick = () => {
    saving ??= watch()
      .then(() => save(false))
      .catch((error) => observe.record('spool.failed', { code: error.code ?? 'unknown', detail: `sessions: ${textOf(error)}` }))
      .finally(() => {
        saving = undefined
      })
  }

  /** Writes down all there is in a file of its own. */
  const snapshot = (): Snapshot => beginSnapshot({ fs, dir, number: nextNumber++, salt, roomBytes, entries: journaled.entries() })

  /** The file of the snapshot takes the place of those before. */
  const takeOver = async (from: Snapshot) => {
    const fresh = await from.finish().catch(async (error) => {
      await from.abandon()
      throw error
    })
    await writer?.close().catch(() => undefined)
    writer = fresh
    limit = Math.max(roomBytes, 2 * fresh.segment.bytes)
    await removeBefore(fresh.segment.number)
  }

  /** With nothing to append to, appends wait for the file. */
  const begin = async () => {
    await next?.abandon()
    next = undefined
    const only = snapshot()
    await only.written
    await takeOver(only)
  }

  /** While a journal is in use, its successor is written beside it, and appends do not wait. */
  const renew = async () => {
    if (next?.state === 'ready') {
      const ready = next
      next = undefined
      await takeOver(ready)
    } else if (next?.state === 'failed') {
      next = undefined
      limit = 2 * writer!.segment.bytes
    } else if (!next && writer!.segment.bytes > limit) next = snapshot()
  }

  const removeBefore = async (number: number) => {
    const old = (await fs.list(dir)).filter((name) => (segmentNumber(name) ?? number) < number)
    for (const name of old) await fs.remove(join(dir, name))
    unsaved = true
  }

  const commits = new GroupCommit<EncodedEntry>({
    salt,
    encode: (buffer, at, { body }, sequence) => encodeBody(buffer, at, body, salt, sequence),
    commit,
  })

  async function commit(batch: CommitBatch<EncodedEntry>): Promise<void> {
    try {
      const bytes = batch.encoded
      await (!writer || vanished ? begin() : renew())
      vanished = false
      await write(writer!, bytes)
      next?.add(bytes)
    } catch (cause) {
      await next?.abandon()
      next = undefined
      await writer?.close().catch(() => undefined)
      writer = undefined
      trouble.raise({ detail: textOf(cause) })
      throw new GatewayError('SESSIONS_FAILED', `sessions cannot be written: ${textOf(cause)}`, { cause, details: { dir } })
    }
    trouble.clear()
    unsaved = true
    for (const { entry } of batch.items) journaled.apply(entry)
  }

  const append = (entry: Entry) => {
    const body = encodeEntry(entry)
    return commits.append({ entry, body }, bodyRecordBytes(body))
  }

  return {
    async start() {
      try {
        await fs.makeDir(dir)
        unlock = await lockDir(fs, dir)
        saved = await openSaved(fs, dir)
        const { last, damaged, loss } = await recoverJournal(options, saved.found)
        nextNumber = last + 1
        if (loss) losses.add('start', loss)
        await losses.saved()
        await begin().catch((error) => {
          // What was found holds everything still, and a disk that is full now may have room when there is something to write.
          if (damaged) throw error
        })
        // Both files, so that a disk that is full later has no part of the state to find room for.
        for (const _ of turnNames('state')) {
          unsaved = true
          await save(false)
        }
        endWatch = clock.every(watchEveryMs, tick)
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
      return append(entry)
    },
    async stop() {
      if (stopped) return
      stopped = true
      endWatch()
      await saving
      await commits.idle()
      await next?.abandon()
      unsaved = true
      await save(true)
      await saved?.close().catch(() => undefined)
      await writer?.close().catch(() => undefined)
      await unlock().catch(() => undefined)
    },
  }
}

async function write(writer: SegmentWriter, bytes: Uint8Array): Promise<void> {
  await writer.append(bytes)
  writer.segment.bytes += bytes.length
}
