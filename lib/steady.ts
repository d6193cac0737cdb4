// Time for what expires: it reads like the wall clock, but does not move when a person or NTP sets the wall clock.
//
//   steady = wall + offset        the offset changes with every step of the wall clock, so that steady time goes on evenly
//
// Within a run, steady time is the wall clock of the start plus the monotonic time since. Over a restart only the wall clock tells how long
// the process was down: whoever keeps the epochs gives them to the next run.
import type { Clock } from './clock.ts'

/** From the wall-clock time `from` on, until the next step, `offset` was right. */
export interface Epoch {
  readonly from: number
  readonly offset: number
}

export interface SteadyClock {
  /** Milliseconds. */
  now(): number
  /** The steady time of a wall-clock time. After a step backwards a wall-clock time means two: the later one is chosen. */
  of(wall: number): number
  /** Looks for a step of the wall clock. Returns its milliseconds, positive when the clock was set forwards; 0 without a step. */
  check(): number
  epochs(): readonly Epoch[]
}

/** Smaller differences are the clocks' own: they drift, and two calls take a moment. */
const smallestStepMs = 1_000
const mostEpochs = 16

export function createSteadyClock(clock: Pick<Clock, 'now' | 'monotonic'>, known: readonly Epoch[] = []): SteadyClock {
  let epochs: readonly Epoch[] = known.length > 0 ? known : [{ from: Number.NEGATIVE_INFINITY, offset: 0 }]
  const startedAt = clock.monotonic()
  const base = clock.now() + epochs.at(-1)!.offset
  let checkedAt = startedAt

  const now = () => base + clock.monotonic() - startedAt

  const check = () => {
    const wall = clock.now()
    const at = clock.monotonic()
    const { offset } = epochs.at(-1)!
    const step = wall + offset - now()
    const since = at - checkedAt
    checkedAt = at
    if (Math.abs(step) < smallestStepMs) return 0
    // The step came after the last look, so this is the earliest time that the new offset can be right for.
    epochs = [...epochs, { from: wall - since, offset: offset - step }].slice(-mostEpochs)
    return step
  }

  return {
    now,
    check,
    of(wall) {
      check()
      const epoch = epochs.findLast(({ from }) => from <= wall) ?? epochs[0]!
      return wall + epoch.offset
    },
    epochs: () => epochs,
  }
}
