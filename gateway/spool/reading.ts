// The reader's side: entries from memory while the reader keeps up, and from disk when it does not.
//
//   batch on disk ─▶ window ─▶ take ─▶ in flight ─▶ settle
//                      ▲
//   segments ─ load ───┘         when the window is empty and older records wait on disk
import type { Clock } from '../../lib/clock.ts'
import type { SteadyClock } from '../../lib/steady.ts'
import type { Message } from '../message/message.ts'
import { isUnreadable, type SpoolFs } from './fs.ts'
import type { CommitBatch } from './group-commit.ts'
import { errnoOf, type SpoolHealth } from './health.ts'
import type { LostRecords } from './lost-records.ts'
import type { MessageCodec } from './message-codec.ts'
import type { Progress } from './progress.ts'
import { createReader, type SegmentReader } from './reader.ts'
import type { Segment } from './segment.ts'
import type { Segments } from './segments.ts'
import { StoredEntry, Window } from './window.ts'

export interface ReadingOptions {
  readonly fs: SpoolFs
  readonly codec: MessageCodec
  readonly segments: Segments
  readonly progress: Progress
  readonly lost: LostRecords
  readonly health: SpoolHealth
  readonly clock: Clock
  readonly steady: SteadyClock
  readonly maxAgeMs: number | undefined
  /** Memory for entries that stand ready. */
  readonly windowBytes: number
  /** Bytes of records that may be in flight. */
  readonly inFlightBytes: number
}

const retryReadMs = 1000
/** After so many failed reads the spool goes on without the rest of a segment. */
const maxFailedReads = 10
const goneCodes = new Set(['ENOENT', 'EISDIR', 'ENOTDIR'])

export class Reading {
  readonly #options: ReadingOptions
  readonly #progress: Progress
  readonly #reader: SegmentReader
  readonly #window = new Window()
  #stopped = false
  #hasReader = false
  #wake = () => {}

  constructor(options: ReadingOptions) {
    const { fs, codec, health, lost, progress } = options
    this.#options = options
    this.#progress = progress
    this.#reader = createReader(fs, codec, {
      onDamage: (segment, bytes) => health.corrupted(segment.path, bytes),
      onLost: (segment, ranges) => lost.lose(segment, ranges, 'is damaged'),
    })
  }

  /** The oldest entry that stands ready. */
  get first(): StoredEntry | undefined {
    return this.#window.first
  }

  /** Puts a batch that was just written into the window, as far as there is room and nothing older waits on disk. */
  offer({ items, ends, bytes, first }: CommitBatch<Message>, segment: Segment): void {
    const { segments, windowBytes } = this.#options
    const base = segment.bytes - bytes
    if (segment.readFrom !== base || segments.oldestUnread() !== segment) return
    let from = 0
    for (let i = 0; i < items.length && this.#window.bytes < windowBytes; i++) {
      const end = ends[i]!
      this.#window.push(new StoredEntry(items[i]!, segment, base + from, end - from, first + i, this.#settled))
      segment.readFrom = base + end
      segment.nextSequence = first + i + 1
      segment.unread--
      segment.unreadBytes -= end - from
      from = end
    }
  }

  take(): StoredEntry | undefined {
    const entry = this.#mayRead() ? this.#window.shift() : undefined
    if (!entry) return undefined
    const { maxAgeMs, steady } = this.#options
    this.#progress.handOut(entry)
    if (maxAgeMs !== undefined && steady.now() - steady.of(entry.message.receivedAt) > maxAgeMs) entry.expired = true
    return entry
  }

  async ready(signal: AbortSignal): Promise<boolean> {
    if (this.#hasReader) throw new Error('the spool has a reader already')
    this.#hasReader = true
    const wake = () => this.wake()
    signal.addEventListener('abort', wake)
    try {
      while (!signal.aborted && !this.#stopped) {
        if (this.#mayRead() && this.#window.first) return true
        const segment = this.#mayRead() ? this.#options.segments.oldestUnread() : undefined
        if (segment) await this.#load(segment).catch((error) => this.#retry(segment, error, signal))
        else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
        }
      }
      return false
    } finally {
      signal.removeEventListener('abort', wake)
      this.#hasReader = false
    }
  }

  /** Lets a waiting reader look again. */
  wake(): void {
    this.#wake()
  }

  stop(): void {
    this.#stopped = true
    this.wake()
  }

  async close(): Promise<void> {
    await this.#reader.close().catch((error) => this.#options.health.callFailed('close', error))
  }

  #mayRead(): boolean {
    return this.#progress.inFlightBytes < this.#options.inFlightBytes && !this.#stopped
  }

  /** One function for all entries: a method would have to be bound for each. */
  readonly #settled = (entry: StoredEntry): void => {
    if (this.#progress.isClosed) return
    const wasFull = this.#progress.inFlightBytes >= this.#options.inFlightBytes
    this.#progress.settle(entry)
    if (wasFull && this.#mayRead()) this.wake()
    this.#options.segments.release(entry.segment)
  }

  async #load(segment: Segment): Promise<void> {
    const { segments } = this.#options
    await this.#reader.load(segment, (message, offset, length, sequence) =>
      this.#window.push(new StoredEntry(message, segment, offset, length, sequence, this.#settled)),
    )
    if (segment.sealed) segments.release(segment)
    // An open file keeps its space after it is deleted.
    if (!segments.oldestUnread()) await this.close()
  }

  /** A file that cannot be read holds up those after it for a few tries; a file that is gone does not. Other errors pass. */
  async #retry(segment: Segment, error: unknown, signal: AbortSignal): Promise<void> {
    if (this.#stopped) return
    const { health, lost, clock } = this.#options
    health.callFailed('read', error)
    await this.close()
    const code = errnoOf(error)
    segment.failedReads++
    if (goneCodes.has(code) || (isUnreadable(error) && segment.failedReads >= maxFailedReads)) {
      segment.vanished = code === 'ENOENT'
      segment.unreadable = code !== 'ENOENT'
      return lost.giveUp(segment, segment.vanished ? 'is missing' : `cannot be read (${code})`)
    }
    await clock.sleep(retryReadMs, signal).catch(() => undefined)
  }
}
