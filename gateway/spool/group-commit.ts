// Group commit: all appends that arrive while a write is on its way to the disk share the next one.
//
//   append append append │ append append … append │ append …
//   └── batch 1 ────────┘ └── batch 2 ──────────┘
//   write and sync ─────▶ write and sync ─────▶         one at a time; the disk sets the pace
import { renumberRecord } from './codec.ts'

/** The result of consecutive appends. All of them share one promise; its reactions run in the order of the appends. */
interface SharedResult {
  readonly done: PromiseWithResolvers<void>
  /** Set for an append that was refused: it fails, but not before those ahead of it have settled. */
  readonly refusal?: Error
}

/** Encoded records end to end that one write puts on disk. */
export class CommitBatch<T> {
  #buffer: Buffer
  bytes = 0
  /** The sequence of its first record; the others follow one by one. */
  first: number
  readonly items: T[] = []
  /** Where the record of the same index ends, from the start of the batch. */
  readonly ends: number[] = []
  /** In the order of the calls (invariant 5). */
  readonly #results: SharedResult[] = []

  constructor(buffer: Buffer, first: number) {
    this.#buffer = buffer
    this.first = first
  }

  /** Its records. */
  get encoded(): Buffer {
    return this.#buffer.subarray(0, this.bytes)
  }

  /** The memory of its records, for another batch. */
  get buffer(): Buffer {
    return this.#buffer
  }

  get isEmpty(): boolean {
    return this.items.length === 0
  }

  append(item: T, sizeLimit: number, encode: Encode<T>): Promise<void> {
    if (this.bytes + sizeLimit > this.#buffer.length) this.#grow(sizeLimit)
    this.bytes += encode(this.#buffer, this.bytes, item, this.first + this.items.length)
    this.items.push(item)
    this.ends.push(this.bytes)
    return this.#lastResult().done.promise
  }

  refuse(error: Error): Promise<void> {
    const result = { done: Promise.withResolvers<void>(), refusal: error }
    this.#results.push(result)
    return result.done.promise
  }

  renumber(first: number, salt: number): void {
    this.first = first
    let at = 0
    for (const [i, end] of this.ends.entries()) {
      renumberRecord(this.#buffer, at, end - at, salt, first + i)
      at = end
    }
  }

  /** Settles the promises of all appends. */
  finish(failure: Error | undefined): void {
    for (const { done, refusal } of this.#results) {
      if (refusal ?? failure) done.reject(refusal ?? failure)
      else done.resolve()
    }
  }

  #lastResult(): SharedResult {
    const last = this.#results.at(-1)
    if (last && !last.refusal) return last
    const result = { done: Promise.withResolvers<void>() }
    this.#results.push(result)
    return result
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.bytes + needed))
    this.#buffer.copy(larger, 0, 0, this.bytes)
    this.#buffer = larger
  }
}

/** Writes the record of an item at `at` of a buffer that begins with the batch, and returns its length. */
type Encode<T> = (buffer: Buffer, at: number, item: T, sequence: number) => number

export interface GroupCommitOptions<T> {
  readonly salt: number
  readonly encode: Encode<T>
  /** Resolves when the batch is on disk. Not called again before that (invariant 4). */
  commit(batch: CommitBatch<T>): Promise<void>
}

/** Bytes of a buffer that most batches fit into. */
const usualBytes = 512 * 1024

export class GroupCommit<T> {
  readonly #options: GroupCommitOptions<T>
  readonly #encode: Encode<T>
  #spare: Buffer = Buffer.allocUnsafe(usualBytes)
  #filling = new CommitBatch<T>(Buffer.allocUnsafe(usualBytes), 1)
  #writing: CommitBatch<T> | undefined
  #running: Promise<void> | undefined

  constructor(options: GroupCommitOptions<T>) {
    this.#options = options
    this.#encode = options.encode
  }

  /** Encodes the item, which takes `sizeLimit` bytes at most, and returns the promise that its batch shares. */
  append(item: T, sizeLimit: number): Promise<void> {
    const done = this.#filling.append(item, sizeLimit, this.#encode)
    this.#running ??= this.#run()
    return done
  }

  /** Rejects with the error, but not before all earlier appends have settled. */
  refuse(error: Error): Promise<void> {
    const earlier = this.#filling.isEmpty ? this.#writing : this.#filling
    return earlier ? earlier.refuse(error) : Promise.reject(error)
  }

  /** Sets the sequence of the next record. Call it before the first append. */
  startAt(sequence: number): void {
    this.#filling.first = sequence
  }

  /** Bytes that wait for the disk. */
  pendingBytes(): number {
    return this.#filling.bytes + (this.#writing?.bytes ?? 0)
  }

  /** Resolves when no append waits any more. */
  idle(): Promise<void> {
    return this.#running ?? Promise.resolve()
  }

  async #run(): Promise<void> {
    // All appends of this turn of the event loop, from all sockets, belong to the first batch.
    await new Promise((resolve) => setImmediate(resolve))
    while (!this.#filling.isEmpty) {
      const batch = this.#filling
      this.#writing = batch
      this.#filling = new CommitBatch(this.#spare, batch.first + batch.items.length)
      const failure = await this.#options.commit(batch).then(
        () => undefined,
        (error) => error,
      )
      this.#writing = undefined
      // The sequences of the refused batch are used again (invariant 3).
      if (failure) this.#filling.renumber(batch.first, this.#options.salt)
      batch.finish(failure)
      this.#spare = batch.buffer.length > 8 * usualBytes ? Buffer.allocUnsafe(usualBytes) : batch.buffer
    }
    this.#running = undefined
  }
}
