// The parked messages of one action: when to park, the spool they are in, and the way back to direct delivery.
import type { Clock } from '../../lib/clock.ts'
import { type ActionRef, abandoned, type Delivery, type DeliveryResult, type Done, type Sink, toGatewayError } from '../actions/action.ts'
import type { Observe } from '../observe/observe.ts'
import type { DurableSpool } from '../spool/spool.ts'
import { createParkedTargets } from './parked-targets.ts'

/** What parking asks of a sink. */
export interface ParkableSink extends Sink {
  /** For templates: the full name of the target of this delivery. */
  targetOf?(delivery: Delivery): string
  /** For templates: the target accepts, and no message that must be delivered before this one is parked. */
  isFree?(delivery: Delivery, isParked: (target: string) => boolean): boolean
}

export interface ParkedMessagesDeps {
  readonly clock: Clock
  readonly observe: Observe
  /** What an unavailable target may hold of the messages in flight before the next ones are parked: messages, and bytes of payload. */
  readonly maxHeld: number
  readonly maxHeldBytes: number
  /** Opens and starts the spool. */
  begin(): Promise<DurableSpool>
  /** Has the spool read. */
  isBegun(): void
  /** The parked messages of all actions are below their limit. */
  hasRoom(): boolean
  /** Counts messages that are being moved from the main spool to a parking spool. */
  moving(change: 1 | -1): void
}

/** A message that waits to be parked, or for the last parked ones to be delivered. */
interface Waiting {
  readonly sink: ParkableSink
  readonly delivery: Delivery
  readonly signal: AbortSignal
  readonly done: Done
}

/** Between two attempts of a disk that does not take messages. */
const retryMs = 1_000
/** Between two looks whether the spool is empty. */
const lookAgainMs = 5

export class ParkedMessages {
  readonly ref: ActionRef
  readonly #deps: ParkedMessagesDeps
  #spool: DurableSpool | undefined
  /** The sink in use: another one after rules were read again. */
  #sink: ParkableSink | undefined
  /** Messages in flight to the target that came past the spool, and the bytes of their payloads. */
  #held = 0
  #heldBytes = 0
  /** In the order of delivery. */
  #waiting: Waiting[] = []
  #writing = 0
  #isWriting = false
  /** Written and not handed to the sink. */
  #unread = 0
  #targets = createParkedTargets(0)
  /**
   * Messages received before `#recoveredAt` were in flight when the gateway last stopped. They are in the main spool, and are delivered
   * before the parked ones. Resolves when all of them have been dispatched; undefined from then on.
   */
  #catchingUp: PromiseWithResolvers<void> | undefined
  #recoveredAt = 0
  #hasStopped = false

  constructor(ref: ActionRef, deps: ParkedMessagesDeps) {
    this.ref = ref
    this.#deps = deps
  }

  /** Takes over the spool of an earlier run. */
  recover(spool: DurableSpool): void {
    const { messages, oldestAt = 0 } = spool.depth()
    this.#spool = spool
    this.#unread = messages
    this.#targets = createParkedTargets(messages)
    this.#recoveredAt = oldestAt
    this.#catchingUp = Promise.withResolvers()
  }

  get spool(): DurableSpool {
    if (!this.#spool) throw new Error(`no message of ${this.ref.rule} is parked`)
    return this.#spool
  }

  /** Resolves when the parked messages may be read. */
  async ready(): Promise<void> {
    await this.#catchingUp?.promise
  }

  catchUp(): void {
    this.#catchingUp?.resolve()
    this.#catchingUp = undefined
  }

  isUnavailable(): boolean {
    return this.#sink?.isUnavailable?.() === true
  }

  /** A parked message was read and dispatched. */
  handed(): void {
    this.#unread--
  }

  /** Delivers the message, or parks it: the result is then `moved`. */
  deliver(sink: ParkableSink, delivery: Delivery, signal: AbortSignal, done: Done): void {
    this.#sink = sink
    if (this.#mustPark(sink, delivery)) this.#park({ sink, delivery, signal, done })
    else this.#pass(sink, delivery, signal, done)
  }

  deliverParked(sink: ParkableSink, delivery: Delivery, signal: AbortSignal, done: Done): void {
    this.#sink = sink
    if (sink.targetOf) this.#targets.remove(sink.targetOf(delivery))
    sink.deliver(delivery, signal, done)
  }

  /** The target holds its share already, or messages are parked that must be delivered first. */
  #mustPark(sink: ParkableSink, delivery: Delivery): boolean {
    const { maxHeld, maxHeldBytes } = this.#deps
    const { receivedAt } = delivery.message
    const isOlder = this.#catchingUp !== undefined && receivedAt < this.#recoveredAt
    // The main spool is read oldest first, so all older messages have been dispatched.
    if (this.#catchingUp && !isOlder) this.catchUp()
    const isParking = this.#waiting.length > 0 || this.#writing > 0 || (this.#spool !== undefined && this.#spool.depth().messages > 0)
    const isFull = this.#held >= maxHeld || this.#heldBytes >= maxHeldBytes
    if (isParking ? isOlder : !(isFull && sink.isUnavailable?.(delivery))) return false
    const mayBeFree = this.#held < 2 * maxHeld && this.#heldBytes < 2 * maxHeldBytes
    return !(mayBeFree && sink.isFree?.(delivery, this.#targets.mayHold))
  }

  #pass(sink: ParkableSink, delivery: Delivery, signal: AbortSignal, done: Done): void {
    const { length } = delivery.message.payload
    const leave = (result: DeliveryResult) => {
      this.#held--
      this.#heldBytes -= length
      done(result)
    }
    this.#held++
    this.#heldBytes += length
    try {
      sink.deliver(delivery, signal, leave)
    } catch (error) {
      leave(toGatewayError(error, signal))
    }
  }

  #park(waiting: Waiting) {
    const { sink, delivery, signal, done } = waiting
    if (this.#hasStopped) return done(abandoned())
    this.#deps.moving(1)
    if (sink.targetOf) this.#targets.add(sink.targetOf(delivery))
    this.#waiting.push(waiting)
    if (this.#isWriting) return
    this.#isWriting = true
    this.#write(signal).catch((error) => {
      // Only a stop ends writing early. The messages stay unsettled in the main spool.
      if (!signal.aborted) throw error
      this.#hasStopped = true
      for (const { done } of this.#waiting.splice(0)) this.#finish(done, abandoned())
    })
  }

  #finish(done: Done, result: DeliveryResult): void {
    this.#deps.moving(-1)
    done(result)
  }

  /** Writes in the order of the calls: a message that cannot be written is tried again before later ones. */
  async #write(signal: AbortSignal): Promise<void> {
    while (this.#waiting.length > 0) {
      if (await this.#isEmptySoon(signal)) {
        this.#release()
        continue
      }
      const batch = this.#waiting
      this.#waiting = []
      this.#writing = batch.length
      const unwritten = await this.#append(batch)
      this.#writing = 0
      this.#waiting = [...unwritten, ...this.#waiting]
      if (unwritten.length > 0) await this.#deps.clock.sleep(retryMs, signal)
    }
    this.#isWriting = false
  }

  /** Resolves with true when the spool is empty, waiting for it if few messages are left; with false otherwise. */
  async #isEmptySoon(signal: AbortSignal): Promise<boolean> {
    const { maxHeld, clock } = this.#deps
    while (this.#sink?.isUnavailable?.(this.#waiting[0]?.delivery) !== true) {
      if (!this.#spool || this.#spool.depth().messages === 0) return true
      if (this.#catchingUp || this.#unread >= maxHeld || this.#waiting.length >= maxHeld) return false
      await clock.sleep(lookAgainMs, signal)
    }
    return false
  }

  /** Delivers directly what waits. */
  #release(): void {
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      const { sink, delivery, signal, done } = next
      if (sink.targetOf) this.#targets.remove(sink.targetOf(delivery))
      this.#deps.moving(-1)
      this.#pass(sink, delivery, signal, done)
    }
  }

  /** Resolves with the messages that could not be written. The spool has reported why. */
  async #append(batch: readonly Waiting[]): Promise<readonly Waiting[]> {
    const spool = await this.#writable().catch(() => undefined)
    if (!spool) return batch
    this.#unread += batch.length
    const results = await Promise.allSettled(batch.map(({ delivery }) => spool.append(delivery.message)))
    const isWritten = (index: number) => results[index]!.status === 'fulfilled'
    const unwritten = batch.filter((_, index) => !isWritten(index))
    this.#unread -= unwritten.length
    for (const [index, { done }] of batch.entries()) {
      if (!isWritten(index)) continue
      this.#deps.observe.record('message.parked', { rule: this.ref.rule })
      this.#finish(done, 'moved')
    }
    return unwritten
  }

  /** Resolves with undefined while the limit of all parked messages is reached. Rejects when the disk fails. */
  async #writable(): Promise<DurableSpool | undefined> {
    if (!this.#deps.hasRoom()) return undefined
    if (!this.#spool) {
      this.#spool = await this.#deps.begin()
      this.#deps.isBegun()
    } else if (this.#spool.depth().messages === 0) {
      // Otherwise a crash could bring settled messages back, and their age would be taken for that of new ones.
      await this.#spool.checkpoint()
    }
    return this.#spool
  }
}
