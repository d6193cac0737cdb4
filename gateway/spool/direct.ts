// The spool without a disk: a message is acknowledged when its targets have accepted it, so a crash loses no acknowledged message.
import { z } from 'zod'
import type { Clock } from '../../lib/clock.ts'
import { createInOrder } from '../../lib/in-order.ts'
import { Queue } from '../../lib/queue.ts'
import { GatewayError } from '../errors.ts'
import type { Message } from '../message/message.ts'
import type { Entry, Spool, SpoolDepth } from './spool.ts'

export const directSpoolSchema = z.strictObject({
  kind: z.literal('direct').describe('acknowledge when the targets have accepted the message'),
  maxBytes: z
    .int()
    .min(1_024)
    .default(64 * 1024 ** 2)
    .describe('refuse messages while this many payload bytes wait for their targets'),
  ackTimeoutMs: z
    .int()
    .min(100)
    .default(30_000)
    .describe('refuse a message whose targets have not accepted it after this time, in milliseconds'),
})

export interface DirectSpoolOptions {
  readonly clock: Clock
  /** Payload bytes that may wait for their targets at one time. */
  readonly maxBytes: number
  /** Milliseconds a device waits for its acknowledgement before the message is refused. */
  readonly ackTimeoutMs: number
}

interface Waiting {
  readonly message: Message
  readonly at: number
  readonly accept: () => void
  readonly refuse: (error: GatewayError) => void
}

export function createDirectSpool(options: DirectSpoolOptions): Spool {
  return new DirectSpool(options)
}

class DirectSpool implements Spool {
  readonly #options: DirectSpoolOptions
  readonly #unread = new Queue<Waiting>()
  /** In the order of their appends, which is the order of their deadlines. */
  readonly #unsettled = new Set<Waiting>()
  readonly #inOrder = createInOrder()
  #bytes = 0
  #stopped = false
  #wake = Promise.withResolvers<void>()
  #stopTimer = () => {}

  constructor(options: DirectSpoolOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { clock, ackTimeoutMs } = this.#options
    this.#stopTimer = clock.every(Math.max(1, Math.min(1_000, ackTimeoutMs / 4)), () => this.#refuseLate())
  }

  append(message: Message): Promise<void> {
    const { clock, maxBytes } = this.#options
    if (this.#stopped) return Promise.reject(new GatewayError('STOPPING', 'the gateway is shutting down'))
    const { hops, payload } = message
    if (hops === 0 && this.#bytes + payload.length > maxBytes) {
      return Promise.reject(new GatewayError('SPOOL_FULL', `${maxBytes} bytes wait for their targets already`))
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiting = { message, at: clock.monotonic(), accept: resolve, refuse: reject }
    this.#bytes += payload.length
    this.#unsettled.add(waiting)
    this.#unread.push(waiting)
    this.#wake.resolve()
    // The message that a rule republished waits for its copy: the copy must not wait for it in turn.
    return hops === 0 ? this.#inOrder(promise) : promise
  }

  take(): Entry | undefined {
    // Messages that were refused while they waited here are skipped.
    for (let waiting = this.#unread.shift(); waiting; waiting = this.#unread.shift()) {
      if (this.#unsettled.has(waiting)) return toEntry(waiting, this.#forget)
    }
    return undefined
  }

  async ready(signal: AbortSignal): Promise<boolean> {
    const aborted = () => this.#wake.resolve()
    signal.addEventListener('abort', aborted)
    while (!signal.aborted && !this.#stopped && this.#unread.length === 0) {
      await this.#wake.promise
      this.#wake = Promise.withResolvers()
    }
    signal.removeEventListener('abort', aborted)
    return !signal.aborted && !this.#stopped
  }

  depth(): SpoolDepth {
    const [oldest] = this.#unsettled
    return { messages: this.#unsettled.size, bytes: this.#bytes, ...(oldest ? { oldestAt: oldest.message.receivedAt } : {}) }
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.#stopTimer()
    this.#wake.resolve()
    for (const waiting of [...this.#unsettled]) {
      this.#forget(waiting)
      waiting.refuse(new GatewayError('STOPPING', 'the gateway is shutting down'))
    }
  }

  /** Returns false if the message was refused or settled before. One function for all entries. */
  readonly #forget = (waiting: Waiting): boolean => {
    if (!this.#unsettled.delete(waiting)) return false
    this.#bytes -= waiting.message.payload.length
    return true
  }

  #refuseLate(): void {
    const { clock, ackTimeoutMs } = this.#options
    for (const waiting of this.#unsettled) {
      if (clock.monotonic() - waiting.at < ackTimeoutMs) break
      this.#forget(waiting)
      waiting.refuse(new GatewayError('ACK_TIMEOUT', `no target accepted the message within ${ackTimeoutMs} ms`))
    }
  }
}

function toEntry(waiting: Waiting, forget: (waiting: Waiting) => boolean): Entry {
  let settled = false
  return {
    message: waiting.message,
    settle() {
      if (settled) throw new Error(`message ${waiting.message.id} was settled twice`)
      settled = true
      if (!forget(waiting)) return false
      waiting.accept()
      return true
    },
  }
}
