// Records that were on disk and cannot be read any more: off the depth, and onto the account of losses.
import type { PlaceLosses } from './losses.ts'
import type { Progress } from './progress.ts'
import { type Range, sizeOf } from './ranges.ts'
import { unreadOf } from './reader.ts'
import { type Segment, segmentName } from './segment.ts'
import type { Segments } from './segments.ts'

export class LostRecords {
  readonly #segments: Segments
  readonly #progress: Progress
  readonly #losses: PlaceLosses

  constructor(segments: Segments, progress: Progress, losses: PlaceLosses) {
    this.#segments = segments
    this.#progress = progress
    this.#losses = losses
  }

  /** Counts records as lost. At the end of the segment, everything that was not read is lost. */
  lose(segment: Segment, ranges: readonly Range[], reason: string): void {
    const atEnd = segment.readFrom >= segment.bytes
    const count = atEnd ? segment.unread : Math.min(segment.unread, sizeOf(ranges))
    const bytes = atEnd ? segment.unreadBytes : 0
    if (atEnd) {
      for (const offset of segment.awaited) segment.replay.delete(offset)
      segment.awaited.clear()
      segment.nextSequence = segment.endSequence
    }
    segment.unsettled -= count
    segment.unread -= count
    segment.unreadBytes -= bytes
    this.#progress.remove(count, bytes)
    if (count === 0) return
    const reasons = [`${segmentName(segment.number)} ${reason}`]
    const added = this.#losses.add('running', { ranges, exact: true, reasons })
    if (added < count) this.#losses.add('running', { unnumbered: count - added, exact: true, reasons })
  }

  /** Goes on without the rest of a segment. */
  giveUp(segment: Segment, reason: string): void {
    const ranges = unreadOf(segment)
    segment.readFrom = segment.bytes
    this.lose(segment, ranges, reason)
    this.#segments.release(segment)
  }
}
