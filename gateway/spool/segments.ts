// All segments of a directory, oldest first, and the one that is written to. A segment lives until its last record is settled.
//
//   000006.seg  000007.seg  000008.seg in use  000009.seg ready         made when 8 is half full; 8 is closed while 9 is written to
//
// To begin a file and to end one takes a disk tens of milliseconds. Neither is in the way of an acknowledgement.
import type { SpoolFs } from './fs.ts'
import { discard } from './recover.ts'
import { createSegment, headerBytes, type Segment, type SegmentWriter, segmentName } from './segment.ts'

export interface Segments {
  /** Takes over what a start found. */
  adopt(found: readonly Segment[], nextNumber: number): void
  /**
   * Calls back when the bytes are on disk, in the same turn in which the segment grows by them: nobody sees one without the other.
   * After a rejection the next write begins a new segment.
   */
  write(block: Block, written: (segment: Segment) => void): Promise<void>
  /** Ends the segment in use if it has reached its size. */
  roll(): void
  /** Ends the segment in use, for good. */
  end(): Promise<void>
  /** To be called when a record of it was settled or lost. If nobody needs the segment any more, it can be deleted. */
  release(segment: Segment): void
  /** Segments that can be deleted as soon as the cursor on disk says that their records are settled. */
  released(): readonly Segment[]
  delete(released: readonly Segment[]): void
  /** Segments whose files have been removed by somebody else since the last call. The next write begins a new one. */
  vanished(): Promise<readonly Segment[]>
  /** The oldest with records that are neither settled nor in the reader's memory. */
  behind(): Segment | undefined
  values(): Iterable<Segment>
  /** What they occupy on disk. */
  bytes(): number
  /** Resolves when what was begun so far, of endings and deletions, is done. */
  idle(): Promise<void>
}

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

export function createSegments({ fs, dir, salt, segmentBytes, onReleased, onDeleted, onFailed }: SegmentsOptions): Segments {
  const segments = new Map<number, Segment>()
  let releasedOnes: Segment[] = []
  const underWay = new Set<Promise<void>>()
  let writer: SegmentWriter | undefined
  /** Undefined where it could not be made; whoever needs it then tries again, and is told. */
  let next: Promise<SegmentWriter | undefined> | undefined
  let nextNumber = 1
  let bytes = 0

  const create = () => createSegment(fs, dir, nextNumber++, salt, segmentBytes)

  const open = async () => {
    const opened = (await next) ?? (await create())
    next = undefined
    segments.set(opened.segment.number, opened.segment)
    bytes += headerBytes
    return opened
  }

  const track = (work: Promise<void>) => {
    underWay.add(work)
    void work.finally(() => underWay.delete(work))
  }

  const close = async () => {
    const closing = writer
    writer = undefined
    if (!closing) return
    await closing.close().catch((error) => onFailed('close', error))
    release(closing.segment)
  }

  const removeNext = async () => {
    const unused = await next
    next = undefined
    await unused?.close()
    if (unused) await fs.remove(unused.segment.path)
  }

  const release = (segment: Segment) => {
    if (!segment.sealed || segment.unsettled > 0 || !segments.delete(segment.number)) return
    releasedOnes.push(segment)
    onReleased()
  }

  const remove = (segment: Segment) =>
    discard(fs, segment).then(
      () => {
        bytes -= segment.bytes
        onDeleted()
      },
      (error) => onFailed('remove', error),
    )

  /** The segment made ready: a file that is gone must not take records. */
  const dropNext = async (preparing: typeof next) => {
    if (next !== preparing) return
    next = undefined
    await (await preparing)?.close().catch((error) => onFailed('close', error))
  }

  return {
    adopt(found, next) {
      nextNumber = next
      for (const segment of found) {
        segments.set(segment.number, segment)
        bytes += segment.bytes
      }
    },

    async write(block, written) {
      try {
        if (writer?.segment.vanished) await close()
        writer ??= await open()
        await writer.append(block.bytes)
      } catch (error) {
        // What a failed sync left in the page cache cannot be trusted, so the segment ends where it was last known to be on disk.
        await close()
        throw error
      }
      const { segment } = writer
      if (segment.bytes === headerBytes) segment.nextSequence = block.first
      segment.endSequence = block.first + block.count
      segment.bytes += block.bytes.length
      bytes += block.bytes.length
      if (writer.segment.bytes > segmentBytes / 2) next ??= create().catch(() => undefined)
      written(segment)
    },

    roll() {
      if (writer && writer.segment.bytes >= segmentBytes) track(close())
    },

    async end() {
      await close()
      await removeNext().catch((error) => onFailed('remove', error))
    },

    release,
    released: () => releasedOnes,
    delete(released) {
      releasedOnes = releasedOnes.filter((segment) => !released.includes(segment))
      for (const segment of released) track(remove(segment))
    },

    async vanished() {
      const before = [...segments.values()]
      const preparing = next
      const ready = await preparing
      const names = new Set(await fs.list(dir))
      if (ready && !names.has(segmentName(ready.segment.number))) await dropNext(preparing)
      const gone = before.filter(({ number, vanished }) => segments.has(number) && !vanished && !names.has(segmentName(number)))
      for (const segment of gone) segment.vanished = true
      return gone
    },

    behind() {
      for (const segment of segments.values()) if (segment.readFrom < segment.bytes) return segment
      return undefined
    },

    values: () => segments.values(),
    bytes: () => bytes,
    async idle() {
      while (underWay.size > 0) await Promise.all(underWay)
    },
  }
}
