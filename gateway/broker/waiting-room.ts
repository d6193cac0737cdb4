// Connections that have not sent CONNECT: only so many, and the oldest one makes room for the next.

export interface WaitingRoom<T> {
  enter(one: T): void
  leave(one: T): void
}

/** A flood of silent connections then costs a real client nothing: its CONNECT arrives long before it is the oldest. */
export function createWaitingRoom<T>(most: number, turnAway: (one: T) => void): WaitingRoom<T> {
  const waiting = new Set<T>()
  return {
    enter(one) {
      waiting.add(one)
      if (waiting.size <= most) return
      const oldest = waiting.values().next().value as T
      waiting.delete(oldest)
      turnAway(oldest)
    },
    leave: (one) => void waiting.delete(one),
  }
}
