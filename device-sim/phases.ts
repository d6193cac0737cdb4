// How hard the fleet works over time: phases bend the time axis of the plan, so every interval model works under every phase.
import { z } from 'zod'
import { duration } from './fields.ts'

const lasts = { for: duration.describe('how long the phase lasts') }

export const phase = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('ramp').describe('the rate changes steadily'),
    from: z.number().min(0).default(0).describe('rate at its start, relative to the usual one'),
    to: z.number().min(0).default(1).describe('rate at its end'),
    ...lasts,
  }),
  z.strictObject({
    kind: z.literal('steady').describe('the usual rate, or a part of it'),
    level: z.number().min(0).default(1).describe('rate relative to the usual one'),
    ...lasts,
  }),
  z.strictObject({
    kind: z.literal('spike').describe('many times the usual rate'),
    times: z.number().min(0).default(5).describe('rate relative to the usual one'),
    ...lasts,
  }),
  z.strictObject({
    kind: z.literal('herd').describe('an outage: every device loses its connection, and all return at once when it ends'),
    ...lasts,
  }),
])

export type Phase = z.output<typeof phase>

export interface Herd {
  readonly at: number
  readonly forMs: number
}

/** Milliseconds all phases take. */
export function lengthOf(phases: readonly Phase[]): number {
  return phases.reduce((sum, { for: ms }) => sum + ms, 0)
}

export function herdsOf(phases: readonly Phase[]): readonly Herd[] {
  return phases.flatMap(({ kind, for: forMs }, i) => (kind === 'herd' ? [{ at: lengthOf(phases.slice(0, i)), forMs }] : []))
}

/**
 * From the time of an unbent plan to the time of the run.
 *
 *     work done by run time t = ∫ rate dt;  a reading planned at work L happens when the integral reaches L
 *
 * The rate is linear within a phase, so the integral is a parabola and its inverse is in closed form. After the last phase its rate goes on.
 */
export function createTimeAxis(phases: readonly Phase[]): (planned: number) => number {
  let begins = 0
  let done = 0
  const pieces = phases.map((phase) => {
    const [from, to] = ratesOf(phase)
    const piece = { begins, done, from, slope: (to - from) / phase.for }
    begins += phase.for
    done += ((from + to) / 2) * phase.for
    return { ...piece, doneAfter: done }
  })
  const last = phases.length ? ratesOf(phases.at(-1)!)[1] : 1
  return (planned) => {
    for (const { begins, done, doneAfter, from, slope } of pieces) {
      if (planned < doneAfter) return begins + timeFor(planned - done, from, slope)
    }
    return last > 0 ? begins + (planned - done) / last : Number.POSITIVE_INFINITY
  }
}

/** Solves from·t + slope·t²/2 = work, in the form that keeps its digits when the slope is near zero. */
function timeFor(work: number, from: number, slope: number): number {
  return work === 0 ? 0 : (2 * work) / (from + Math.sqrt(Math.max(0, from * from + 2 * slope * work)))
}

function ratesOf(phase: Phase): readonly [number, number] {
  switch (phase.kind) {
    case 'ramp':
      return [phase.from, phase.to]
    case 'steady':
      return [phase.level, phase.level]
    case 'spike':
      return [phase.times, phase.times]
    case 'herd':
      return [1, 1]
  }
}
