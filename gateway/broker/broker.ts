// What every broker promises, whether it lives inside the gateway or on the other side of a network.
import type { Duplex } from 'node:stream'
import type { Caller } from '../access/access.ts'
import type { BatchPromise } from '../message/batch-promise.ts'
import type { Message } from '../message/message.ts'

/**
 * Takes a message into the gateway. Resolves when the message is durable: the caller acknowledges then, and not before. Messages of one
 * commit batch get the same promise object, so one reaction can acknowledge all of them (message/batch-promise.ts).
 */
export type Ingest = (message: Message) => BatchPromise

export interface Broker {
  /** Subscribers get the message, and Ingest sees it exactly once. Resolves when Ingest has. */
  publish(message: Message): Promise<void>
  /** A device connection; only the embedded broker has one. */
  accept?(stream: Duplex, caller: Caller): void
  /** Filters of a client that is connected; undefined when it is not. Only the embedded broker knows. */
  filtersOf?(clientId: string): readonly string[] | undefined
  /** Whether a client was ever connected. */
  hasSeen?(clientId: string): boolean
  /** Resolves when it can take messages; a remote broker resolves earlier when the signal aborts. */
  start(signal?: AbortSignal): Promise<void>
  /** Answers what devices have published, then disconnects them. `publish` still works. Only the embedded broker has devices. */
  drain?(): Promise<void>
  stop(): Promise<void>
}
