// All segments of a directory, oldest first, and the one in use.
//
//   000006.seg  000007.seg  000008.seg in use  000009.seg ready
//
// The next segment is made when the one in use is half full, and a full one is closed while the next
// takes records: a disk needs tens of milliseconds for either, and no acknowledgement waits for it.
import type { SpoolFs } from './fs.ts'
import { discard } from './recover.ts'
import { createSegment, headerBytes, type Segment, type SegmentWriter, segmentName } from './segment.ts'

/** Records with consecutive sequences. */
export interface Block {
  readonly bytes: Uint8Array
  readonly first: number
  readonly count: number
}

export interface SegmentsOptions {
  readonly fs: SpoolFs
  readonly dir: string
  readonly salt: number
  readonly segmentBytes: number
  /** A segment can be deleted. */
  onReleased(): void
  onDeleted(): void
  onFailed(call: string, error: unknown): void
}

export class Segments {
  readonly #options: SegmentsOptions
  /** By number, oldest first. */
  readonly #segments = new Map<number, Segment>()
  #released: Segment[] = []
  /** Closes and deletions that have not finished. */
  readonly #underWay = new Set<Promise<void>>()
  #writer: SegmentWriter | undefined
  /** The segment made ready. Resolves with undefined if it could not be made; the next write tries again and fails visibly. */
  #next: Promise<SegmentWriter | undefined> | undefined
  #nextNumber = 1
  #bytes = 0

  constructor(options: SegmentsOptions) {
    this.#options = options
  }

  /** Takes over what a start found. */
  adopt(found: readonly Segment[], nextNumber: number): void {
    this.#nextNumber = nextNumber
    for (const segment of found) {
      this.#segments.set(segment.number, segment)
      this.#bytes += segment.bytes
    }
  }

  /**
   * Calls back when the bytes are on disk, in the turn of the event loop in which the segment grows by
   * them: other code sees both or neither. After a rejection the next write begins a new segment.
   */
  async write(block: Block, written: (segment: Segment) => void): Promise<void> {
    try {
      if (this.#writer?.segment.vanished) await this.#close()
      this.#writer ??= await this.#open()
      await this.#writer.append(block.bytes)
    } catch (error) {
      await this.#close() // invariant 6
      throw error
    }
    const { segment } = this.#writer
    if (segment.bytes === headerBytes) segment.nextSequence = block.first
    segment.endSequence = block.first + block.count
    segment.bytes += block.bytes.length
    this.#bytes += block.bytes.length
    if (segment.bytes > this.#options.segmentBytes / 2) this.#next ??= this.#create().catch(() => undefined)
    written(segment)
  }

  /** Ends the segment in use if it has reached its size. */
  roll(): void {
    if (this.#writer && this.#writer.segment.bytes >= this.#options.segmentBytes) this.#track(this.#close())
  }

  /** Ends the segment in use, for good. */
  async end(): Promise<void> {
    await this.#close()
    await this.#removeNext().catch((error) => this.#options.onFailed('remove', error))
  }

  /** Call it when a record of the segment was settled or lost. If that was the last one, the segment can be deleted. */
  release(segment: Segment): void {
    if (!segment.sealed || segment.unsettled > 0 || !this.#segments.delete(segment.number)) return
    this.#released.push(segment)
    this.#options.onReleased()
  }

  /** Segments that can be deleted as soon as the cursor on disk says that their records are settled (invariant 10). */
  released(): readonly Segment[] {
    return this.#released
  }

  delete(released: readonly Segment[]): void {
    this.#released = this.#released.filter((segment) => !released.includes(segment))
    for (const segment of released) this.#track(this.#remove(segment))
  }

  /** Segments whose files were removed by others since the last call. The next write begins a new segment. */
  async vanished(): Promise<readonly Segment[]> {
    const { fs, dir } = this.#options
    const before = [...this.#segments.values()]
    const preparing = this.#next
    const ready = await preparing
    const names = new Set(await fs.list(dir))
    if (ready && !names.has(segmentName(ready.segment.number))) await this.#dropNext(preparing)
    const gone = before.filter(({ number, vanished }) => this.#segments.has(number) && !vanished && !names.has(segmentName(number)))
    for (const segment of gone) segment.vanished = true
    return gone
  }

  /** The oldest segment with records that were not read into memory. */
  oldestUnread(): Segment | undefined {
    for (const segment of this.#segments.values()) if (segment.readFrom < segment.bytes) return segment
    return undefined
  }

  values(): Iterable<Segment> {
    return this.#segments.values()
  }

  /** Bytes that the segments occupy on disk. */
  bytes(): number {
    return this.#bytes
  }

  /** Resolves when all pending closes and deletions have finished. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  #create(): Promise<SegmentWriter> {
    const { fs, dir, salt, segmentBytes } = this.#options
    return createSegment(fs, dir, this.#nextNumber++, salt, segmentBytes)
  }

  async #open(): Promise<SegmentWriter> {
    const opened = (await this.#next) ?? (await this.#create())
    this.#next = undefined
    this.#segments.set(opened.segment.number, opened.segment)
    this.#bytes += headerBytes
    return opened
  }

  async #close(): Promise<void> {
    const closing = this.#writer
    this.#writer = undefined
    if (!closing) return
    await closing.close().catch((error) => this.#options.onFailed('close', error))
    this.release(closing.segment)
  }

  async #removeNext(): Promise<void> {
    const unused = await this.#next
    this.#next = undefined
    await unused?.close()
    if (unused) await this.#options.fs.remove(unused.segment.path)
  }

  /** Drops the segment made ready: its file is gone and must not take records. */
  async #dropNext(preparing: Promise<SegmentWriter | undefined> | undefined): Promise<void> {
    if (this.#next !== preparing) return
    this.#next = undefined
    await (await preparing)?.close().catch((error) => this.#options.onFailed('close', error))
  }

  async #remove(segment: Segment): Promise<void> {
    const { fs, onDeleted, onFailed } = this.#options
    try {
      await discard(fs, segment)
    } catch (error) {
      onFailed('remove', error)
      return
    }
    this.#bytes -= segment.bytes
    onDeleted()
  }

  #track(work: Promise<void>): void {
    this.#underWay.add(work)
    void work.finally(() => this.#underWay.delete(work))
  }
}
