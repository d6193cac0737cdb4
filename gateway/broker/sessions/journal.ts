// The session journal on disk: entries appended in commit batches, and compacted when most of them no
// longer matter.
//
//   000007.seg   begun │ entries of the state │ whole │ entry entry … entry │ 0 0 0 …
//                        └ the snapshot ──────┘         └ appended since
//
// A file counts once `whole` is in it, and then its predecessors are deleted: a crash at any point
// leaves one file that holds everything. A start begins a file if there is room for one. So does a
// write after one that failed: what a failed sync left in the page cache cannot be trusted.
import { join } from 'node:path'
import type { Clock } from '../../../lib/clock.ts'
import { GatewayError, textOf } from '../../errors.ts'
import { type Condition, createCondition } from '../../observe/condition.ts'
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
  /** Applies every entry found. Rejects with SPOOL_LOCKED or DATA_DIR_UNUSABLE. */
  start(): Promise<void>
  /** Resolves when the entry is on disk and applied, in the order of the calls. Rejects with SESSIONS_FAILED; it is then not applied. */
  append(entry: Entry): Promise<void>
  stop(): Promise<void>
}

/** The state that the journal keeps. */
export interface Journaled {
  apply(entry: Entry): void
  /** Entries that make the present state. */
  entries(): Iterable<Entry>
  counts(): Counts
}

export interface FileJournalOptions {
  readonly journaled: Journaled
  /** Created when missing. One gateway per directory. */
  readonly dir: string
  /** Bytes below which a file is not compacted. */
  readonly roomBytes?: number
  readonly salt: number
  readonly observe: Observe
  readonly fs: SpoolFs
  readonly clock: Pick<Clock, 'every' | 'monotonic'>
  /** The account of lost messages. */
  readonly losses: PlaceLosses
}

/** An entry on its way to the disk, and its bytes there. */
interface EncodedEntry {
  readonly entry: Entry
  readonly body: Buffer
}

const MiB = 1024 ** 2
const watchEveryMs = 1_000

/** A journal that keeps nothing: sessions end with the gateway. */
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
  return new FileJournal(options)
}

class FileJournal implements Journal {
  readonly #options: FileJournalOptions
  readonly #roomBytes: number
  readonly #trouble: Condition
  readonly #commits: GroupCommit<EncodedEntry>
  /** Of the file in use; undefined after a write that failed. */
  #writer: SegmentWriter | undefined
  /** Its successor, while that is being written. */
  #next: Snapshot | undefined
  /** Bytes of the file in use beyond which a successor is written. */
  #limit = 0
  #nextNumber = 1
  /** The file in use was removed; the next write begins another. */
  #vanished = false
  #saved: SavedFiles | undefined
  /** The counts on disk are older than the journal. */
  #unsaved = false
  #ticking: Promise<void> | undefined
  #stopped = false
  #endWatch = () => {}
  #unlock = async () => {}

  constructor(options: FileJournalOptions) {
    const { observe, clock, salt, roomBytes = 8 * MiB } = options
    this.#options = options
    this.#roomBytes = roomBytes
    this.#trouble = createCondition({ observe, clock }, { code: 'SESSIONS_FAILED' })
    this.#commits = new GroupCommit({
      salt,
      encode: (buffer, at, { body }, sequence) => encodeBody(buffer, at, body, salt, sequence),
      commit: (batch) => this.#commit(batch),
    })
  }

  async start(): Promise<void> {
    const { dir } = this.#options
    try {
      await this.#start()
    } catch (cause) {
      await this.#unlock().catch(() => undefined)
      this.#unlock = async () => {}
      if (cause instanceof GatewayError) throw cause
      const message = `the session directory ${dir} cannot be used: ${textOf(cause)}`
      throw new GatewayError('DATA_DIR_UNUSABLE', message, { cause, details: { dir } })
    }
  }

  append(entry: Entry): Promise<void> {
    if (this.#stopped) return this.#commits.refuse(new GatewayError('STOPPING', 'the gateway is shutting down'))
    return this.#append(entry)
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.#endWatch()
    await this.#ticking
    await this.#commits.idle()
    await this.#next?.abandon()
    this.#unsaved = true
    await this.#save(true)
    await this.#saved?.close().catch(() => undefined)
    await this.#writer?.close().catch(() => undefined)
    await this.#unlock().catch(() => undefined)
  }

  async #start(): Promise<void> {
    const { dir, fs, clock, losses } = this.#options
    await fs.makeDir(dir)
    this.#unlock = await lockDir(fs, dir)
    this.#saved = await openSaved(fs, dir)
    const { last, damaged, loss } = await recoverJournal(this.#options, this.#saved.found)
    this.#nextNumber = last + 1
    if (loss) losses.add('start', loss)
    await losses.saved()
    await this.#begin().catch((error) => {
      // The old file still holds everything, and a disk that is full now may have room for the next write.
      if (damaged) throw error
    })
    // Creates both files, so that a full disk later has no part of the state to find room for.
    for (const _ of turnNames('state')) {
      this.#unsaved = true
      await this.#save(false)
    }
    this.#endWatch = clock.every(watchEveryMs, () => this.#tick())
  }

  #append(entry: Entry): Promise<void> {
    const body = encodeEntry(entry)
    return this.#commits.append({ entry, body }, bodyRecordBytes(body))
  }

  async #commit(batch: CommitBatch<EncodedEntry>): Promise<void> {
    try {
      const bytes = batch.encoded
      await (!this.#writer || this.#vanished ? this.#begin() : this.#renew())
      this.#vanished = false
      await write(this.#writer!, bytes)
      this.#next?.add(bytes)
    } catch (cause) {
      await this.#next?.abandon()
      this.#next = undefined
      await this.#writer?.close().catch(() => undefined)
      this.#writer = undefined
      this.#trouble.raise({ detail: textOf(cause) })
      const { dir } = this.#options
      throw new GatewayError('SESSIONS_FAILED', `sessions cannot be written: ${textOf(cause)}`, { cause, details: { dir } })
    }
    this.#trouble.clear()
    this.#unsaved = true
    for (const { entry } of batch.items) this.#options.journaled.apply(entry)
  }

  /** Begins a file without a predecessor to append to: appends wait for it. */
  async #begin(): Promise<void> {
    await this.#next?.abandon()
    this.#next = undefined
    const only = this.#snapshot()
    await only.written
    await this.#takeOver(only)
  }

  /** Writes the successor of the file in use beside it, and changes over when it is ready. Appends do not wait. */
  async #renew(): Promise<void> {
    if (this.#next?.state === 'ready') {
      const ready = this.#next
      this.#next = undefined
      await this.#takeOver(ready)
    } else if (this.#next?.state === 'failed') {
      this.#next = undefined
      this.#limit = 2 * this.#writer!.segment.bytes
    } else if (!this.#next && this.#writer!.segment.bytes > this.#limit) this.#next = this.#snapshot()
  }

  #snapshot(): Snapshot {
    const { fs, dir, salt, journaled } = this.#options
    return beginSnapshot({ fs, dir, number: this.#nextNumber++, salt, roomBytes: this.#roomBytes, entries: journaled.entries() })
  }

  /** The file of the snapshot takes the place of those before. */
  async #takeOver(from: Snapshot): Promise<void> {
    const fresh = await from.finish().catch(async (error) => {
      await from.abandon()
      throw error
    })
    await this.#writer?.close().catch(() => undefined)
    this.#writer = fresh
    this.#limit = Math.max(this.#roomBytes, 2 * fresh.segment.bytes)
    await this.#removeBefore(fresh.segment.number)
  }

  async #removeBefore(number: number): Promise<void> {
    const { fs, dir } = this.#options
    const old = (await fs.list(dir)).filter((name) => (segmentNumber(name) ?? number) < number)
    for (const name of old) await fs.remove(join(dir, name))
    this.#unsaved = true
  }

  /** Writes the counts that a start compares with what it finds. */
  async #save(closed: boolean): Promise<void> {
    if (!this.#writer || !this.#unsaved) return
    this.#unsaved = false
    const { number, bytes } = this.#writer.segment
    const { sessions, retained, queued } = this.#options.journaled.counts()
    await this.#saved?.write({ segment: number, bytes, sessions, retained, queued, closed }).catch((error) => {
      this.#unsaved = true
      this.#failed(error)
    })
  }

  #tick(): void {
    this.#ticking ??= this.#watch()
      .then(() => this.#save(false))
      .catch((error) => this.#failed(error))
      .finally(() => {
        this.#ticking = undefined
      })
  }

  /** Looks for files that were removed while the gateway runs. Memory holds the whole state, so they are written again. */
  async #watch(): Promise<void> {
    const { fs, dir, observe } = this.#options
    const segment = this.#writer?.segment
    const names = await fs.list(dir)
    if (!turnNames('state').every((name) => names.includes(name))) {
      await this.#saved?.forget()
      this.#unsaved = true
    }
    if (!segment || segment !== this.#writer?.segment || names.includes(segmentName(segment.number))) return
    this.#vanished = true
    observe.record('sessions.corrupted', { detail: `${segment.path} is missing; it is written again` })
    await this.#append({ kind: 'released', client: '', numbers: [] })
  }

  #failed(error: NodeJS.ErrnoException): void {
    this.#options.observe.record('spool.failed', { code: error.code ?? 'unknown', detail: `sessions: ${textOf(error)}` })
  }
}

async function write(writer: SegmentWriter, bytes: Uint8Array): Promise<void> {
  await writer.append(bytes)
  writer.segment.bytes += bytes.length
}
