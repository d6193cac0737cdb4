// The writer's side: decides whether a message fits, and puts batches of messages on disk.
import { GatewayError, textOf } from '../errors.ts'
import type { Message } from '../message/message.ts'
import type { Checkpoints } from './checkpoints.ts'
import { maxRecordBytes } from './codec.ts'
import { type CommitBatch, GroupCommit } from './group-commit.ts'
import { errnoOf, type SpoolHealth } from './health.ts'
import { type MessageCodec, recordSizeLimit } from './message-codec.ts'
import type { Progress } from './progress.ts'
import type { Reading } from './reading.ts'
import type { Segment } from './segment.ts'
import type { Segments } from './segments.ts'

export interface StoreOptions {
  readonly dir: string
  /** What the spool may occupy on disk. */
  readonly maxBytes: number
  readonly salt: number
  readonly codec: MessageCodec
  readonly segments: Segments
  readonly progress: Progress
  readonly reading: Reading
  readonly checkpoints: Checkpoints
  readonly health: SpoolHealth
}

/** Memory for records on their way to a disk that does not keep up. */
const pendingBytes = 32 * 1024 ** 2
/** QoS 0 is refused first: the last tenth is for messages that must be acknowledged. */
export const qos0Share = 0.9
/** A republished message takes the place of one that the spool holds. If it were refused, that one could never leave. */
const insideShare = 2

export class Store {
  readonly #options: StoreOptions
  readonly #commits: GroupCommit<Message>

  constructor(options: StoreOptions) {
    const { salt, codec } = options
    this.#options = options
    this.#commits = new GroupCommit({
      salt,
      encode: (buffer, at, message, sequence) => codec.encode(buffer, at, message, salt, sequence),
      commit: (batch) => this.#commit(batch),
    })
  }

  startAt(sequence: number): void {
    this.#commits.startAt(sequence)
  }

  append(message: Message): Promise<void> {
    const size = recordSizeLimit(message)
    const refusal = this.#refusalOf(size, message)
    return refusal ? this.#commits.refuse(refusal) : this.#commits.append(message, size)
  }

  refuse(error: GatewayError): Promise<void> {
    return this.#commits.refuse(error)
  }

  /** Resolves when no append waits for the disk. */
  idle(): Promise<void> {
    return this.#commits.idle()
  }

  #refusalOf(size: number, { qos, hops }: Message): GatewayError | undefined {
    const { segments, maxBytes, health } = this.#options
    if (size > maxRecordBytes) return new GatewayError('PAYLOAD_TOO_LARGE', 'the message does not fit into a record of the spool')
    const waiting = this.#commits.pendingBytes()
    const used = segments.bytes() + waiting
    if (hops > 0) return used + size <= maxBytes * insideShare ? undefined : this.#tooFull(used)
    const share = qos === 0 ? qos0Share : 1
    if (waiting > 0 && waiting + size > pendingBytes * share)
      return new GatewayError('SPOOL_FULL', 'more waits for the disk than memory may hold')
    if (used + size <= maxBytes * share) return undefined
    const full = this.#tooFull(used)
    if (qos > 0) health.full(full.message)
    return full
  }

  #tooFull(used: number): GatewayError {
    const { maxBytes, dir } = this.#options
    return new GatewayError('SPOOL_FULL', `the spool is full: ${used} of ${maxBytes} bytes are in use`, { details: { dir } })
  }

  async #commit(batch: CommitBatch<Message>): Promise<void> {
    const { checkpoints, segments, health, dir } = this.#options
    try {
      await checkpoints.ensure()
      const { first, items, encoded } = batch
      await segments.write({ bytes: encoded, first, count: items.length }, (segment) => this.#written(batch, segment))
    } catch (cause) {
      health.writeFailed(textOf(cause))
      throw new GatewayError('SPOOL_FAILED', `the spool cannot write: ${textOf(cause)}`, { cause, details: { dir, errno: errnoOf(cause) } })
    }
    segments.roll()
  }

  #written(batch: CommitBatch<Message>, segment: Segment): void {
    const { progress, reading, segments, health } = this.#options
    const { items, bytes, first } = batch
    progress.add(items.length, bytes, first)
    segment.unsettled += items.length
    segment.unread += items.length
    segment.unreadBytes += bytes
    reading.offer(batch, segment)
    health.wrote()
    health.occupies(segments.bytes())
    reading.wake()
  }
}
