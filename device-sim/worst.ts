// Which devices fare worst: a fleet's average hides them, and they are where to look first.

export interface WorstDevice {
  readonly device: string
  readonly failed: number
  readonly slowestAckMs: number
}

export interface Troubles {
  failed(device: number): void
  acked(device: number, ms: number): void
  /** Those with most failures, then with the slowest acknowledgement; none that has neither. */
  worst(): readonly WorstDevice[]
}

/** Eight bytes for each device. */
export function createTroubles(clientIds: readonly string[]): Troubles {
  const failures = new Uint32Array(clientIds.length)
  const slowest = new Float32Array(clientIds.length)
  const toDevice = (number: number) => ({ device: clientIds[number]!, failed: failures[number]!, slowestAckMs: slowest[number]! })
  return {
    failed: (device) => void failures[device]!++,
    acked(device, ms) {
      if (ms > slowest[device]!) slowest[device] = ms
    },
    worst() {
      let top: readonly WorstDevice[] = []
      for (const number of clientIds.keys()) {
        const least = top[2]
        if (failures[number]! < (least?.failed ?? 0)) continue
        if (failures[number] === (least?.failed ?? 0) && slowest[number]! <= (least?.slowestAckMs ?? 0)) continue
        top = worstOf([...top, toDevice(number)])
      }
      return top
    },
  }
}

/** Three of them. */
export function worstOf(devices: readonly WorstDevice[]): readonly WorstDevice[] {
  return devices.toSorted((a, b) => b.failed - a.failed || b.slowestAckMs - a.slowestAckMs).slice(0, 3)
}
