// The spool that holds nothing: a message is acknowledged when its targets have accepted it. Memory only; a crash loses nothing acknowledged.
import { z } from 'zod'
import type { Clock } from '../../lib/clock.ts'
import { createInOrder } from '../../lib/in-order.ts'
import { Queue } from '../../lib/queue.ts'
import { GatewayError } from '../errors.ts'
import type { Message } from '../message/message.ts'
import type { Entry, Spool } from './spool.ts'

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

export function createDirectSpool({ clock, maxBytes, ackTimeoutMs }: DirectSpoolOptions): Spool {
  const unread = new Queue<Waiting>()
  /** In the order of their appends, which is the order of their deadlines. */
  const unsettled = new Set<Waiting>()
  const inOrder = createInOrder()
  let bytes = 0
  let stopped = false
  let wake = Promise.withResolvers<void>()
  let stopTimer = () => {}

  const forget = (waiting: Waiting) => {
    if (!unsettled.delete(waiting)) return false
    bytes -= waiting.message.payload.length
    return true
  }
  const refuseLate = () => {
    for (const waiting of unsettled) {
      if (clock.monotonic() - waiting.at < ackTimeoutMs) break
      forget(waiting)
      waiting.refuse(new GatewayError('ACK_TIMEOUT', `no target accepted the message within ${ackTimeoutMs} ms`))
    }
  }

  return {
    async start() {
      stopTimer = clock.every(Math.max(1, Math.min(1_000, ackTimeoutMs / 4)), refuseLate)
    },
    append(message) {
      if (stopped) return Promise.reject(new GatewayError('STOPPING', 'the gateway is shutting down'))
      const { hops } = message
      if (hops === 0 && bytes + message.payload.length > maxBytes) {
        return Promise.reject(new GatewayError('SPOOL_FULL', `${maxBytes} bytes wait for their targets already`))
      }
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const waiting = { message, at: clock.monotonic(), accept: resolve, refuse: reject }
      bytes += message.payload.length
      unsettled.add(waiting)
      unread.push(waiting)
      wake.resolve()
      // The message that a rule republished waits for its copy: the copy must not wait for it in turn.
      return hops === 0 ? inOrder(promise) : promise
    },
    take() {
      // A message refused while it waited here is no longer ours.
      for (let waiting = unread.shift(); waiting; waiting = unread.shift()) if (unsettled.has(waiting)) return toEntry(waiting, forget)
      return undefined
    },
    async ready(signal) {
      const aborted = () => wake.resolve()
      signal.addEventListener('abort', aborted)
      while (!signal.aborted && !stopped && unread.length === 0) {
        await wake.promise
        wake = Promise.withResolvers()
      }
      signal.removeEventListener('abort', aborted)
      return !signal.aborted && !stopped
    },
    depth() {
      const [oldest] = unsettled
      return { messages: unsettled.size, bytes, ...(oldest ? { oldestAt: oldest.message.receivedAt } : {}) }
    },
    async stop() {
      if (stopped) return
      stopped = true
      stopTimer()
      wake.resolve()
      for (const waiting of [...unsettled]) {
        forget(waiting)
        waiting.refuse(new GatewayError('STOPPING', 'the gateway is shutting down'))
      }
    },
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
