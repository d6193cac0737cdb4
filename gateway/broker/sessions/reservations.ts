// Messages that are on disk for their sessions while the pipeline has not taken them yet.
//
// The journal is written before the pipeline: if the journal fails, nothing has been ingested, and the device may publish again without
// a second copy. Until the pipeline has the message, no client gets it; if the pipeline refuses it, the queues give it up again.
import type { KeptEntry } from './entry.ts'
import type { Journal } from './journal.ts'
import type { State } from './state.ts'

/** One message in the queues of its sessions, hidden from their clients. */
export interface Reservation {
  /** Offers the message to the clients that are connected. */
  deliver(): void
  /** Takes the message out of the queues: its publish was refused. A retained message stays; the next publish replaces it. */
  withdraw(): void
}

export interface Reservations {
  /** Rejects when the journal cannot be written; the entry then changes nothing. */
  make(entry: KeptEntry): Promise<Reservation>
  has(number: number): boolean
  /** Repeats withdrawals that could not be written. */
  sweep(): void
}

export function createReservations({ sessions, kept }: Pick<State, 'sessions' | 'kept'>, journal: Pick<Journal, 'append'>): Reservations {
  const reserved = new Set<number>()
  const withdrawn = new Map<number, readonly string[]>()

  const deliver = (number: number, to: readonly string[]) => {
    reserved.delete(number)
    const message = kept.get(number)
    for (const client of to) {
      const session = sessions.get(client)
      const flagged = session?.queue.get(number)
      if (message && session && flagged !== undefined) session.outbox?.offer(session, message, flagged)
    }
  }

  /** The message stays hidden until the withdrawal is on disk. */
  const withdraw = (number: number, to: readonly string[]) => {
    withdrawn.delete(number)
    Promise.all(to.map((client) => journal.append({ kind: 'released', client, numbers: [number] }))).then(
      () => reserved.delete(number),
      () => withdrawn.set(number, to),
    )
  }

  return {
    async make(entry) {
      const { number, to } = entry
      reserved.add(number)
      try {
        await journal.append(entry)
      } catch (error) {
        reserved.delete(number)
        throw error
      }
      return { deliver: () => deliver(number, to), withdraw: () => withdraw(number, to) }
    },
    has: (number) => reserved.has(number),
    sweep() {
      for (const [number, to] of withdrawn) withdraw(number, to)
    },
  }
}
