// Reads records back from disk, a few hundred KiB at a time, when the window in memory is empty.
import type { Message } from '../message/message.ts'
import { sequenceOf } from './codec.ts'
import type { SpoolFile, SpoolFs } from './fs.ts'
import type { MessageCodec } from './message-codec.ts'
import type { Range } from './ranges.ts'
import { createScratch, findRecord, isSettled, readChunk, type Segment, type Visit } from './segment.ts'

export interface SegmentReader {
  /** Calls back for each unsettled record of the next chunk and moves segment.readFrom past it. Rejects when the disk cannot be read. */
  load(segment: Segment, found: (message: Message, offset: number, length: number, sequence: number) => void): Promise<void>
  close(): Promise<void>
}

export interface ReaderEvents {
  /** Damage that was not there at the start. */
  onDamage(segment: Segment, bytes: number): void
  /** Records that should be there and were not found. */
  onLost(segment: Segment, ranges: readonly Range[]): void
}

export function createReader(fs: SpoolFs, codec: MessageCodec, { onDamage, onLost }: ReaderEvents): SegmentReader {
  let open: { readonly segment: Segment; readonly file: SpoolFile; readonly scratch: Buffer } | undefined

  /** Records that are missing before the next one are on the account already. */
  let afterKnownDamage = false

  const close = async () => {
    const closing = open
    open = undefined
    await closing?.file.close()
  }

  const skip = async (file: SpoolFile, segment: Segment, from: number, to: number) => {
    const known = segment.holes.get(from)
    if (known !== undefined) {
      afterKnownDamage = true
      return known
    }
    const next = await findRecord(file, segment.salt, from, to)
    segment.holes.set(from, next)
    onDamage(segment, next - from)
    return next
  }

  const sequenceAt = (segment: Segment, buffer: Buffer, at: number, offset: number): number => {
    segment.awaited.delete(offset)
    if (offset < segment.settledBelow) return segment.replay.get(offset)!
    const { nextSequence } = segment
    const sequence = sequenceOf(buffer, at) ?? nextSequence ?? 0
    segment.nextSequence = sequence + 1
    if (!afterKnownDamage && nextSequence !== undefined && sequence > nextSequence) onLost(segment, [[nextSequence, sequence]])
    afterKnownDamage = false
    return sequence
  }

  return {
    async load(segment, found) {
      if (open?.segment !== segment) {
        await close()
        afterKnownDamage = false
        open = { segment, file: await fs.open(segment.path, 'r'), scratch: createScratch() }
      }
      const { file, scratch } = open
      const to = segment.bytes
      const visit: Visit = (buffer, at, length, offset) => {
        if (isSettled(segment, offset)) return
        found(codec.decode(buffer, at, length), offset, length, sequenceAt(segment, buffer, at, offset))
        segment.unread--
        segment.unreadBytes -= length
      }
      const { next, bad } = await readChunk(file, segment.salt, segment.readFrom, to, visit, scratch)
      segment.readFrom = next
      if (bad) segment.readFrom = await skip(file, segment, next, to)
      if (segment.readFrom >= segment.bytes) onLost(segment, unreadOf(segment))
    },
    close,
  }
}

/** The sequences of the records that the reader has not found yet. */
export function unreadOf({ awaited, replay, nextSequence, endSequence }: Segment): readonly Range[] {
  const listed = [...awaited].map((offset): Range => [replay.get(offset)!, replay.get(offset)! + 1])
  return nextSequence === undefined || nextSequence >= endSequence ? listed : [...listed, [nextSequence, endSequence]]
}
