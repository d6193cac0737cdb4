// How far the spool has come: what is on disk, what was handed out, and what of it is settled. The cursor is its copy on disk.
import type { Cursor } from './cursor.ts'
import type { Recovered } from './recover.ts'
import type { Segment } from './segment.ts'
import { Chain, type StoredEntry } from './window.ts'

export class Progress {
  /** Records on disk that are not settled, and their bytes. */
  messages = 0
  bytes = 0
  /** Handed out and not settled, in the order they were read. */
  readonly inFlight = new Chain()
  inFlightBytes = 0
  /** Records before it are settled, in flight, or in the `replay` of their segment (invariant 8). */
  #frontier = { segment: 0, offset: 0, sequence: 1 }
  /** One more than the highest sequence on disk. */
  #nextSequence = 1
  #lastReadAt: number | undefined
  /** The cursor on disk is older than this. */
  isDirty = false
  #isClosed = false

  recovered({ messages, bytes, oldestAt, frontier, nextSequence }: Recovered): void {
    this.messages = messages
    this.bytes = bytes
    this.#lastReadAt = oldestAt
    this.#frontier = { ...frontier }
    this.#nextSequence = nextSequence
  }

  /** A batch is on disk. */
  add(messages: number, bytes: number, firstSequence: number): void {
    this.messages += messages
    this.bytes += bytes
    this.#nextSequence = firstSequence + messages
    this.isDirty = true
  }

  remove(messages: number, bytes: number): void {
    this.messages -= messages
    this.bytes -= bytes
    this.isDirty = true
  }

  handOut(entry: StoredEntry): void {
    const { segment, offset, bytes, message } = entry
    this.inFlight.add(entry)
    this.inFlightBytes += bytes
    if (segment.replay.size > 0) segment.replay.delete(offset)
    const { segment: number, offset: from } = this.#frontier
    if (segment.number > number || (segment.number === number && offset >= from)) {
      this.#frontier = { segment: segment.number, offset: offset + bytes, sequence: entry.sequence + 1 }
    }
    this.#lastReadAt = message.receivedAt
  }

  settle(entry: StoredEntry): void {
    this.inFlight.remove(entry)
    this.inFlightBytes -= entry.bytes
    entry.segment.unsettled--
    this.remove(1, entry.bytes)
  }

  /** From now on nothing settles: the next cursor is the last, and what it lists comes back after the next start. */
  close(): void {
    this.#isClosed = true
    this.isDirty = true
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** When the oldest unsettled message was received; `ready` is the oldest that stands ready to be handed out. */
  oldestAt(ready: StoredEntry | undefined): number | undefined {
    if (this.messages === 0) return undefined
    return (this.inFlight.first ?? ready)?.message.receivedAt ?? this.#lastReadAt
  }

  toCursor(segments: Iterable<Segment>): Cursor {
    const unsettled: Record<string, [number, number][]> = {}
    const add = ({ number }: Segment, offset: number, sequence: number) => {
      unsettled[number] ??= []
      unsettled[number].push([offset, sequence])
    }
    for (const { segment, offset, sequence } of this.inFlight) add(segment, offset, sequence)
    for (const segment of segments) for (const [offset, sequence] of segment.replay) add(segment, offset, sequence)
    return { ...this.#frontier, next: this.#nextSequence, unsettled, ...(this.#isClosed && { closed: true }) }
  }
}
