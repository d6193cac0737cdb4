// The records that stand ready for the reader: those just appended while it keeps up, those read back from disk when it does not.
import type { Message } from '../message.ts'
import { Queue } from './queue.ts'
import type { Segment } from './segment.ts'
import type { Entry, Outcome } from './spool.ts'

/** What an entry costs in memory besides the bytes of its record: the objects and strings of a message. */
const overheadBytes = 512

/** An entry and where it lies. One object per message that is ready or in flight, none for what waits on disk. */
export class StoredEntry implements Entry {
  readonly message: Message
  readonly segment: Segment
  readonly offset: number
  readonly bytes: number
  expired = false
  #onSettled: ((entry: StoredEntry, outcome: Outcome) => void) | undefined

  constructor(
    message: Message,
    segment: Segment,
    offset: number,
    bytes: number,
    onSettled: (entry: StoredEntry, outcome: Outcome) => void,
  ) {
    this.message = message
    this.segment = segment
    this.offset = offset
    this.bytes = bytes
    this.#onSettled = onSettled
  }

  settle(outcome: Outcome): true {
    const onSettled = this.#onSettled
    if (!onSettled) throw new Error(`message ${this.message.id} was settled twice`)
    this.#onSettled = undefined
    onSettled(this, outcome)
    return true
  }
}

/** A queue of entries that knows how much memory it holds. */
export class Window {
  readonly #entries = new Queue<StoredEntry>()
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  get first(): StoredEntry | undefined {
    return this.#entries.first
  }

  push(entry: StoredEntry): void {
    this.#entries.push(entry)
    this.#bytes += entry.bytes + overheadBytes
  }

  shift(): StoredEntry | undefined {
    const entry = this.#entries.shift()
    if (entry) this.#bytes -= entry.bytes + overheadBytes
    return entry
  }
}
