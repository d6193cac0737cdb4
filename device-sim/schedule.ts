// The plan: which device speaks when, decided by the seed before anything connects.
import { z } from 'zod'
import { duration } from './fields.ts'
import { exponential } from './signals.ts'

const every = duration.describe('mean time between two readings')

export const interval = z
  .union([
    duration.transform((everyMs) => ({ kind: 'fixed' as const, every: everyMs })),
    z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('fixed').describe('the same time between any two readings'), every }),
      z.strictObject({ kind: z.literal('poisson').describe('readings that know nothing of each other'), every }),
      z.strictObject({
        kind: z.literal('bursts').describe('several readings, then silence'),
        every: duration.describe('from the start of one burst to the next'),
        size: z.number().int().min(1).default(10).describe('readings in a burst'),
        spacing: duration.prefault('50ms').describe('time between two readings of a burst'),
      }),
      z.strictObject({
        kind: z.literal('ramp').describe('an interval that changes steadily'),
        from: duration.describe('interval at the start'),
        to: duration.describe('interval at the end'),
        over: duration.describe('how long the change takes'),
      }),
    ]),
  ])
  .describe('time between two readings of one device: "10s", or an interval model')

export type Interval = z.output<typeof interval>

interface Shape<I> {
  /** Spreads the devices: all at once is a herd, not a fleet. */
  first(interval: I, random: () => number): number
  /** When the next reading is due, after the one at `at`, which was the `n`th (from 1). */
  after(interval: I, at: number, n: number, random: () => number): number
}

/** Every load shape there is. */
const shapes: { readonly [K in Interval['kind']]: Shape<Extract<Interval, { kind: K }>> } = {
  fixed: {
    first: ({ every }, random) => random() * every,
    after: ({ every }, at) => at + every,
  },
  poisson: {
    first: ({ every }, random) => exponential(random, every),
    after: ({ every }, at, _, random) => at + exponential(random, every),
  },
  bursts: {
    first: ({ every }, random) => random() * every,
    after: ({ every, size, spacing }, at, n) => at + (n % size ? spacing : Math.max(spacing, every - (size - 1) * spacing)),
  },
  ramp: {
    first: ({ from }, random) => random() * from,
    after: ({ from, to, over }, at) => at + from + (to - from) * Math.min(1, at / over),
  },
}

export interface Planned {
  readonly interval: Interval
  readonly random: () => number
}

export interface Tick {
  /** Milliseconds after the start of the run. */
  readonly at: number
  /** Index in the list the plan was made from. */
  readonly device: number
}

export interface Plan {
  /** When the next reading is due; infinity when none is left. */
  readonly nextAt: number
  next(): Tick
}

interface PlanOptions {
  readonly endMs?: number | undefined
  /** How often each device speaks at most. */
  readonly count?: number | undefined
  /** Monotonic: from planned time to the time of the run. */
  readonly axis?: (planned: number) => number
}

/** All devices' times in order: a heap with one entry per device. Equal times come in the order of the devices. */
export function createPlan(
  devices: readonly Planned[],
  { endMs = Number.POSITIVE_INFINITY, count = Number.POSITIVE_INFINITY, axis = (at) => at }: PlanOptions = {},
): Plan {
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
    const at = heap.length ? axis(times[heap[0]!]!) : Number.POSITIVE_INFINITY
    return at < endMs ? at : Number.POSITIVE_INFINITY
  }
  let nextAt = peek()
  return {
    get nextAt() {
      return nextAt
    },
    next() {
      const device = heap[0]!
      const tick = { at: nextAt, device }
      const { interval, random } = devices[device]!
      const n = ++taken[device]!
      times[device] = n < count ? shapeOf(interval).after(interval, times[device]!, n, random) : Number.POSITIVE_INFINITY
      sink(0)
      nextAt = peek()
      return tick
    },
  }
}

function shapeOf(interval: Interval): Shape<Interval> {
  return shapes[interval.kind] as Shape<Interval>
}
