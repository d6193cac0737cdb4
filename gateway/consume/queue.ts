// What a consumer needs of a queue, and nothing of who provides it.

export interface Item {
  /** The queue's own id of the message. */
  readonly id: string
  readonly body: Uint8Array
  /** What is kept in order (FIFO) or treated as one tenant (standard). Empty when the sender named none. */
  readonly group: string
  /** Idempotency key the sender gave: equal for two copies of one reading. */
  readonly key: string
  /** How often it was received, this time included, and tries as part of an earlier message with it. */
  readonly receives: number
  /** When it was first sent, in milliseconds since the epoch; survives a move to another queue. */
  readonly sentAt: number
  readonly attributes: Readonly<Record<string, string>>
  /** The queue that SQS itself moved the item from, into this dead-letter queue. */
  readonly movedFrom?: string
}

/** What goes into a queue: a copy of an item for another one, or part of it. */
export interface Outgoing {
  /** FIFO queues store one message per id within five minutes; the id of the item it is made from is right. */
  readonly id: string
  readonly body: Uint8Array
  readonly group: string
  readonly key: string
  readonly attributes: Readonly<Record<string, string>>
  /** Standard queues only: not received before. */
  readonly delayMs?: number
}

/** An attribute that ought to be a number, and may be somebody else's by the same name. */
export function toNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

/** A copy for another queue, as old as the item is. */
export function toOutgoing(item: Item): Outgoing {
  return { ...item, attributes: { ...item.attributes, sentAt: String(item.sentAt) } }
}

export interface QueueDepth {
  readonly waiting: number
  readonly inFlight: number
  /** Milliseconds since the epoch. */
  readonly oldestAt?: number
}

export interface Queue {
  readonly name: string
  readonly fifo: boolean
  /** Up to `max` items; waits up to `waitMs` for the first one. */
  receive(max: number, waitMs: number, signal: AbortSignal): Promise<readonly Item[]>
  /** Rejects with the items that could not be removed in `details.failed`. */
  remove(items: readonly Item[]): Promise<void>
  /** Keeps an item from being received again for `ms` from now; 0 makes it visible at once. */
  hold(item: Item, ms: number): Promise<void>
  /**
   * Moves an item to the dead-letter queue with the reason (`CODE: text`) beside it. A copy of an item
   * (`{ ...item, body }`, one part of a pack) is sent there, and the item itself stays.
   */
  bury(item: Item, reason: string): Promise<void>
  /** Resolves once the queue has stored all of them; rejects with `details.failed` otherwise. */
  send(messages: readonly Outgoing[]): Promise<void>
  depth(): Promise<QueueDepth>
}

/** Resolving means done; throwing means try again later, and PermanentFailure means never. */
export type Handler = (item: Item, signal: AbortSignal) => Promise<void>
