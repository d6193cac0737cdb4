// Reads records back from the disk, a few hundred KiB at a time, when the reader is further behind than memory goes.
import type { Message } from '../message.ts'
import type { SpoolFile, SpoolFs } from './fs.ts'
import { decodeRecord } from './record.ts'
import { createScratch, findRecord, isSettled, readChunk, type Segment, type Visit } from './segment.ts'

export interface SegmentReader {
  /** Calls back for each unsettled record of the next part and moves segment.readFrom behind it. Rejects when the disk cannot be read. */
  load(segment: Segment, found: (message: Message, offset: number, length: number) => void): Promise<void>
  close(): Promise<void>
}

/** `onDamage` hears of damage that was not there at the start: the disk lost what it had promised to keep. */
export function createReader(fs: SpoolFs, onDamage: (segment: Segment, bytes: number) => void): SegmentReader {
  let open: { readonly segment: Segment; readonly file: SpoolFile; readonly scratch: Buffer } | undefined

  const close = async () => {
    const closing = open
    open = undefined
    await closing?.file.close()
  }

  const skip = async (file: SpoolFile, segment: Segment, from: number, to: number) => {
    const known = segment.holes.get(from)
    if (known !== undefined) return known
    const next = await findRecord(file, segment.salt, from, to)
    segment.holes.set(from, next)
    onDamage(segment, next - from)
    return next
  }

  return {
    async load(segment, found) {
      if (open?.segment !== segment) {
        await close()
        open = { segment, file: await fs.open(segment.path, 'r'), scratch: createScratch() }
      }
      const { file, scratch } = open
      const to = segment.bytes
      const visit: Visit = (buffer, at, length, offset) => {
        if (isSettled(segment, offset)) return
        found(decodeRecord(buffer, at, length), offset, length)
        segment.unread--
      }
      const { next, bad } = await readChunk(file, segment.salt, segment.readFrom, to, visit, scratch)
      segment.readFrom = next
      if (bad) segment.readFrom = await skip(file, segment, next, to)
    },
    close,
  }
}
