// One connection for each client identifier: a newer one ends the older one before it is let in [MQTT-3.1.4-3].

export interface Occupant {
  /** Ends the connection, if it has not ended. Resolves when nothing of it is left. */
  leave(): Promise<void>
  /** Resolves when the connection has its CONNACK, or has ended. */
  readonly settled: Promise<void>
}

export interface Seats {
  /**
   * Waits until earlier connections under the client identifier are settled, ends the last of them, and then opens this one.
   * Rejects as `open` does.
   */
  claim(clientId: string, occupant: Occupant, open: () => Promise<void>): Promise<void>
  leave(clientId: string, occupant: Occupant): void
}

export function createSeats(): Seats {
  const seated = new Map<string, Occupant>()
  /** The last one that waits for each client identifier. */
  const turns = new Map<string, Promise<void>>()

  const leave: Seats['leave'] = (clientId, occupant) => {
    if (seated.get(clientId) === occupant) seated.delete(clientId)
  }

  return {
    leave,
    claim(clientId, occupant, open) {
      const before = turns.get(clientId) ?? Promise.resolve()
      const opened = before.then(async () => {
        await seated.get(clientId)?.leave()
        seated.set(clientId, occupant)
        await open()
      })
      const turn = opened.then(
        () => occupant.settled,
        () => leave(clientId, occupant),
      )
      turns.set(clientId, turn)
      turn.finally(() => {
        if (turns.get(clientId) === turn) turns.delete(clientId)
      })
      return opened
    },
  }
}
