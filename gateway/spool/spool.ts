// The on-disk buffer between acknowledgement and delivery. The caller of `append` owns the message until the promise resolves; then the spool does.
//
// What the file spool keeps true. The code cites these invariants by number.
//
// Layout
//  1. A segment holds records end to end. They are written once and never edited. All of them have
//     one salt and one version, because a run never adds to a segment of an earlier run.
//  2. A new segment gets a number above those of all files in the directory and of the cursor.
//  3. The sequences of consecutive records differ by one, across segments and runs. A batch that
//     was refused gives its sequences back. So a gap on the disk is always a loss.
//
// Writing
//  4. One batch is written at a time, and the next begins after its sync. So only the last batch
//     can be torn: a record of a later batch proves that the one before was on disk.
//  5. An append resolves when its batch is synced, in the order of the calls [MQTT-4.6.0-2].
//  6. After a write or sync that failed, the segment ends where it was last known to be on disk.
//     What a failed sync left in the page cache cannot be trusted.
//  7. No batch is written while the directory has no cursor. Without a cursor, a start could not
//     tell what was settled from what was lost.
//
// Reading
//  8. Records are handed out in the order of the disk, up to the frontier of the cursor. Each record
//     before the frontier is settled or listed; each record after it is not settled.
//  9. An entry is settled once. Delivery is at least once: after a crash, everything settled since
//     the last cursor comes back, and so may an append that was never acknowledged. After a stop,
//     exactly the unsettled records come back.
//
// Deleting
// 10. A segment is deleted when all its records are settled and the cursor on disk says so. So
//     records that a start does not find were lost, not deleted.
// 11. Lost records are on the account of losses before a cursor on disk forgets them.
// 12. Evidence stays. A segment with damage is renamed to `*.corrupt` instead of deleted; a file
//     that cannot be read, or that a newer version wrote, is left as it is.
import type { BatchPromise } from '../message/batch-promise.ts'
import type { Message } from '../message/message.ts'

/** `moved`: another spool has the message now. */
export type Outcome = 'delivered' | 'unmatched' | 'dead' | 'moved'

/** Settle an entry exactly once. An entry that is not settled comes back after a restart. */
export interface Entry {
  readonly message: Message
  /** true: it was older than the age limit when it was read. The spool never drops it by itself. */
  readonly expired?: boolean
  /** Returns false if the append was rejected before: the outcome does not count then. */
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
   * Rejects with SPOOL_FULL, SPOOL_FAILED, ACK_TIMEOUT or STOPPING; the caller still owns the message then.
   * Messages of one commit batch get the same promise object (message/batch-promise.ts).
   */
  append(message: Message): BatchPromise
  /** The oldest entry that was not taken yet, if it stands ready in memory. One reader at a time. */
  take(): Entry | undefined
  /** Resolves with true when `take` has an entry, with false when the signal aborts or the spool stops. */
  ready(signal: AbortSignal): Promise<boolean>
  /** Appended and not settled. Each spool chooses whether it counts appends that have not resolved yet. */
  depth(): SpoolDepth
  /** Refuses further appends, and syncs what the spool holds. Does not wait for unsettled entries. */
  stop(): Promise<void>
}

/** A spool that outlives the process. */
export interface DurableSpool extends Spool {
  /** Resolves when nothing that has been settled comes back after a crash. Rejects with SPOOL_FAILED. */
  checkpoint(): Promise<void>
}
