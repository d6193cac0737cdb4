// Entries that stand ready for the reader: just appended while it keeps up, read back from disk when it does not.
import { Queue } from '../../lib/queue.ts'
import type { Message } from '../message/message.ts'
import type { Segment } from './segment.ts'
import type { Entry, Outcome } from './spool.ts'

/** Memory of an entry besides the bytes of its record: the objects and strings of a message. */
const overheadBytes = 512

/** An entry and where it lies. One object for each message that is ready or in flight; records that wait on disk have none. */
export class StoredEntry implements Entry {
  readonly message: Message
  readonly segment: Segment
  readonly offset: number
  readonly bytes: number
  readonly sequence: number
  expired = false
  /** Its neighbours in a Chain. */
  before: StoredEntry | undefined
  after: StoredEntry | undefined
  #onSettled: ((entry: StoredEntry, outcome: Outcome) => void) | undefined

  constructor(
    message: Message,
    segment: Segment,
    offset: number,
    bytes: number,
    sequence: number,
    onSettled: (entry: StoredEntry, outcome: Outcome) => void,
  ) {
    this.message = message
    this.segment = segment
    this.offset = offset
    this.bytes = bytes
    this.sequence = sequence
    this.#onSettled = onSettled
  }

  /** Throws when called twice (invariant 9). */
  settle(outcome: Outcome): true {
    const onSettled = this.#onSettled
    if (!onSettled) throw new Error(`message ${this.message.id} was settled twice`)
    this.#onSettled = undefined
    onSettled(this, outcome)
    return true
  }
}

/** A linked list of entries in the order they were added. Removing one takes constant time. */
export class Chain {
  #first: StoredEntry | undefined
  #last: StoredEntry | undefined

  get first(): StoredEntry | undefined {
    return this.#first
  }

  add(entry: StoredEntry): void {
    entry.before = this.#last
    if (this.#last) this.#last.after = entry
    else this.#first = entry
    this.#last = entry
  }

  remove(entry: StoredEntry): void {
    const { before, after } = entry
    if (before) before.after = after
    else this.#first = after
    if (after) after.before = before
    else this.#last = before
    entry.before = undefined
    entry.after = undefined
  }

  *[Symbol.iterator](): Generator<StoredEntry, void> {
    for (let entry = this.#first; entry; entry = entry.after) yield entry
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
