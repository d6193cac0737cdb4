// Hands readings to sessions and keeps the books: every reading ends in exactly one column of the report.
import type { RecordableHistogram } from 'node:perf_hooks'
import type { Clock } from '../lib/clock.ts'
import type { Connections } from './connections.ts'
import type { Numbered } from './reading.ts'
import { recordMs } from './stats.ts'
import type { Troubles } from './worst.ts'

export interface Counts {
  sent: number
  acked: number
  failed: number
  dropped: number
  late: number
}

/** Who wants to know what became of a reading; `plannedAt` is on the clock's monotonic scale. */
export interface Witness {
  sent(reading: Numbered, plannedAt: number): void
  acked(reading: Numbered): void
}

interface Options {
  readonly connections: Connections
  readonly devices: number
  readonly clock: Clock
  readonly counts: Counts
  readonly ackMs: RecordableHistogram
  readonly lateMs: RecordableHistogram
  readonly troubles: Troubles
  readonly maxInFlight: number
  readonly maxLateMs: number
  readonly backlog: number
  readonly witness?: Witness | undefined
}

export interface Publisher {
  /** Starts a reading that was due at `plannedAt`, or drops it: never waits. */
  publish(number: number, reading: Numbered, plannedAt: number): void
  /** Sends what the device kept while it was away. */
  flush(number: number): void
  /** Gives up what devices still keep: it counts as dropped. */
  abandon(): void
  /** Resolves when every reading that was started has ended. */
  idle(): Promise<void>
}

const lateAfterMs = 100

export function createPublisher(options: Options): Publisher {
  const { connections, devices, clock, counts, ackMs, lateMs, troubles, maxInFlight, maxLateMs, backlog, witness } = options
  const inFlight = new Uint16Array(devices)
  const kept = new Map<number, { readonly reading: Numbered; readonly plannedAt: number }[]>()
  const waiting: (() => void)[] = []
  let outstanding = 0

  const settle = (number: number) => {
    inFlight[number]!--
    if (--outstanding === 0) for (const wake of waiting.splice(0)) wake()
  }

  const send = (number: number, reading: Numbered, plannedAt: number) => {
    counts.sent++
    outstanding++
    inFlight[number]!++
    witness?.sent(reading, plannedAt)
    const sentAt = clock.monotonic()
    connections
      .session(number)!
      .publish(reading)
      .then(
        () => {
          witness?.acked(reading)
          if (reading.qos === 1) {
            counts.acked++
            const tookMs = clock.monotonic() - sentAt
            recordMs(ackMs, tookMs)
            troubles.acked(number, tookMs)
          }
          settle(number)
        },
        () => {
          counts.failed++
          troubles.failed(number)
          settle(number)
        },
      )
  }

  const keep = (number: number, reading: Numbered, plannedAt: number) => {
    const queue = kept.get(number) ?? []
    if (queue.push({ reading, plannedAt }) > backlog) {
      queue.shift()
      counts.dropped++
    }
    kept.set(number, queue)
  }

  return {
    publish(number, reading, plannedAt) {
      const behindMs = clock.monotonic() - plannedAt
      if (!connections.session(number)) return keep(number, reading, plannedAt)
      if (behindMs > maxLateMs || inFlight[number]! >= maxInFlight) {
        counts.dropped++
        return
      }
      if (behindMs > lateAfterMs) counts.late++
      recordMs(lateMs, behindMs)
      send(number, reading, plannedAt)
    },
    flush(number) {
      const queue = kept.get(number) ?? []
      kept.delete(number)
      for (const { reading, plannedAt } of queue) send(number, reading, plannedAt)
    },
    abandon() {
      for (const queue of kept.values()) counts.dropped += queue.length
      kept.clear()
    },
    idle: () => new Promise((resolve) => (outstanding === 0 ? resolve() : waiting.push(resolve))),
  }
}
