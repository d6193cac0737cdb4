// Follows the fleet's own readings to the far end: which arrived, how often, in what order, and how long they took.
import type { RecordableHistogram } from 'node:perf_hooks'
import { decode as decodeCbor } from 'cborg'
import type { Clock } from '../lib/clock.ts'
import type { Witness } from './publisher.ts'
import type { Numbered } from './reading.ts'
import { createLatencies, type Latencies, recordMs } from './stats.ts'

/** Brings what arrives at the far end; whoever starts it gets every body from then on. */
export interface Follower {
  /** Resolves when nothing sent from now on can be missed. */
  start(arrived: (body: Uint8Array) => void): Promise<void>
  stop(): Promise<void>
}

export interface DeliveredCounts {
  /** Readings that arrived, each as often as it was sent. */
  readonly arrived: number
  /** Acknowledged, and not seen at the far end. */
  readonly lost: number
  /** Seen more often than sent. */
  readonly duplicated: number
  /** Seen after one of the same device and boot that was sent later. */
  readonly outOfOrder: number
  /** Bodies that name no reading of this run. */
  readonly unknown: number
}

export interface Delivered extends DeliveredCounts {
  /** From the time a reading was planned for: a fleet that fell behind does not look faster than it was. */
  readonly endToEndMs?: Latencies
}

export interface Verifier extends Witness {
  arrived(body: Uint8Array, at: number): void
  /** Acknowledged readings that are still on their way. */
  readonly missing: number
  readonly counts: DeliveredCounts
  readonly endToEnd: RecordableHistogram
}

interface OnItsWay {
  readonly plannedAt: number
  /** In which place of its stream it was sent. */
  readonly place: number
  copies: number
  acked: number
}

interface Stream {
  readonly onTheirWay: Map<number, OnItsWay>
  /** Highest sequence that was sent. */
  sent: number
  places: number
  /** Highest place that has arrived. */
  reached: number
}

/** Memory is for readings on their way only: what has arrived is known by not being there. */
export function createVerifier(): Verifier {
  const streams = new Map<string, Stream>()
  const counts = { arrived: 0, duplicated: 0, outOfOrder: 0, unknown: 0 }
  const endToEnd = createLatencies()
  let missing = 0

  const streamOf = ({ device, boot }: Identity) => {
    const key = `${device}\n${boot}`
    let stream = streams.get(key)
    if (!stream) {
      stream = { onTheirWay: new Map(), sent: 0, places: 0, reached: 0 }
      streams.set(key, stream)
    }
    return stream
  }

  return {
    sent(reading, plannedAt) {
      const stream = streamOf(reading)
      stream.sent = Math.max(stream.sent, reading.seq)
      const again = stream.onTheirWay.get(reading.seq)
      if (again) again.copies++
      else stream.onTheirWay.set(reading.seq, { plannedAt, place: ++stream.places, copies: 1, acked: 0 })
    },
    acked(reading) {
      const entry = streamOf(reading).onTheirWay.get(reading.seq)
      if (!entry || entry.acked === entry.copies) return
      entry.acked++
      missing++
    },
    arrived(body, at) {
      const identity = identify(body)
      const stream = identity && streams.get(`${identity.device}\n${identity.boot}`)
      if (!identity || !stream || identity.seq > stream.sent) {
        counts.unknown++
        return
      }
      const entry = stream.onTheirWay.get(identity.seq)
      if (!entry) {
        counts.duplicated++
        return
      }
      counts.arrived++
      recordMs(endToEnd, at - entry.plannedAt)
      if (entry.place < stream.reached) counts.outOfOrder++
      stream.reached = Math.max(stream.reached, entry.place)
      if (entry.acked) {
        entry.acked--
        missing--
      }
      if (--entry.copies === 0) stream.onTheirWay.delete(identity.seq)
    },
    get missing() {
      return missing
    },
    get counts() {
      return { ...counts, lost: missing }
    },
    endToEnd,
  }
}

/** Waits until nothing is missing, or nothing has arrived for `patienceMs`. */
export async function settled(
  verifier: Verifier,
  { clock, patienceMs, signal }: { readonly clock: Clock; readonly patienceMs: number; readonly signal?: AbortSignal },
): Promise<void> {
  let [before, since] = [verifier.missing, clock.monotonic()]
  while (verifier.missing > 0 && clock.monotonic() - since < patienceMs) {
    await clock.sleep(50, signal)
    if (verifier.missing !== before) [before, since] = [verifier.missing, clock.monotonic()]
  }
}

type Identity = Pick<Numbered, 'device' | 'boot' | 'seq'>

/** Who a body is from, when it says so at its top level: as the device sent it, or as a rule passed it on. */
function identify(body: Uint8Array): Identity | undefined {
  try {
    const { device, boot, seq } =
      body[0] === 0x7b ? JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.length).toString()) : decodeCbor(body)
    return typeof device === 'string' && Number.isInteger(boot) && Number.isInteger(seq) ? { device, boot, seq } : undefined
  } catch {
    return undefined
  }
}
