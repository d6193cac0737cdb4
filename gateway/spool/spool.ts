// What stands between an acknowledgement and a delivery. Whoever awaits append still owns the message; when it resolves, the spool does.
import type { Message } from '../message/message.ts'

/** `moved`: another spool has it now. */
export type Outcome = 'delivered' | 'unmatched' | 'dead' | 'moved'

/** Settle exactly once. An entry nobody settled comes back after a restart. */
export interface Entry {
  readonly message: Message
  /** true: older than the age limit when it was read. Whoever settles it may call it dead; the spool never drops it by itself. */
  readonly expired?: boolean
  /** false: the message was refused in the meantime and is not ours any more; its outcome does not count. */
  settle(outcome: Outcome): boolean
}

export interface SpoolDepth {
  readonly messages: number
  readonly bytes: number
  /** Milliseconds since the epoch. */
  readonly oldestAt?: number
}

export interface Spool {
  start(): Promise<void>
  /**
   * Resolves when the message may be acknowledged, in the order of the calls.
   * Rejects with SPOOL_FULL, SPOOL_FAILED, ACK_TIMEOUT or STOPPING; the message is then not ours.
   */
  append(message: Message): Promise<void>
  /** The oldest that nobody took yet and that stands ready in memory. One reader at a time. */
  take(): Entry | undefined
  /** Resolves with true when `take` has something to give, with false when the signal aborts or the spool stops. */
  ready(signal: AbortSignal): Promise<boolean>
  /** Appended and not settled. Whether an append that has not resolved yet counts is for each spool to choose. */
  depth(): SpoolDepth
  /** Refuses further appends, and makes what it holds safe. Does not wait for unsettled entries. */
  stop(): Promise<void>
}

/** One that outlives the process. */
export interface DurableSpool extends Spool {
  /** Resolves when nothing that has been settled comes back after a crash. Rejects when the disk does not take that. */
  checkpoint(): Promise<void>
}
