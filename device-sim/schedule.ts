// The plan: which device speaks when, decided by the seed before anything connects.
import type { Interval } from './scenario.ts'

export interface Tick {
  /** Milliseconds after the start of the run. */
  readonly at: number
  readonly device: number
}

export interface Plan {
  /** When the next reading is due; infinity when none is left. */
  readonly nextAt: number
  next(): Tick
}

interface Shape<I> {
  first(interval: I, random: () => number): number
  after(interval: I, at: number, random: () => number): number
}

/** Every load shape there is. `first` spreads the devices: all at once is a herd, not a fleet. */
export const shapes = {
  fixed: {
    first: ({ everyMs }, random) => random() * everyMs,
    after: ({ everyMs }, at) => at + everyMs,
  },
} as const satisfies { [K in Interval['kind']]: Shape<Extract<Interval, { kind: K }>> }

export interface Planned {
  readonly interval: Interval
  readonly random: () => number
}

/** All devices' times in order: a heap with one entry per device. Equal times come in the order of the devices. */
export function createPlan(devices: readonly Planned[], { endMs = Number.POSITIVE_INFINITY, count = Number.POSITIVE_INFINITY } = {}): Plan {
  const times = Float64Array.from(devices, ({ interval, random }) => shapeOf(interval).first(interval, random))
  const taken = new Uint32Array(devices.length)
  const heap = Uint32Array.from(times.keys())
  const before = (a: number, b: number) => times[a]! < times[b]! || (times[a] === times[b] && a < b)

  const sink = (from: number) => {
    const device = heap[from]!
    let at = from
    for (let child = 2 * at + 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, device)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = device
  }
  for (let i = heap.length >> 1; i >= 0; i--) sink(i)

  const peek = () => {
    const at = times[heap[0]!] ?? Number.POSITIVE_INFINITY
    return at < endMs ? at : Number.POSITIVE_INFINITY
  }
  return {
    get nextAt() {
      return peek()
    },
    next() {
      const device = heap[0]!
      const tick = { at: peek(), device }
      const { interval, random } = devices[device]!
      taken[device]!++
      times[device] = taken[device]! < count ? shapeOf(interval).after(interval, tick.at, random) : Number.POSITIVE_INFINITY
      sink(0)
      return tick
    },
  }
}

function shapeOf(interval: Interval): Shape<Interval> {
  return shapes[interval.kind] as Shape<Interval>
}
