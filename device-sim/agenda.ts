// Does what several plans say, in the order of their times, open-loop: lateness of one thing never moves the next.
import type { Clock } from '../lib/clock.ts'
import { createPlan, type Plan, type Planned } from './schedule.ts'

export interface Agenda {
  readonly nextAt: number
  /** Does the next thing. Must not wait. */
  run(): void
}

/** After this many, the event loop gets its turn, however far behind the plan is. */
const perTurn = 500

/** The first agenda is what the run is for. Resolves when nothing is left on it and `endMs` has passed, or when the signal says stop. */
export async function followAgendas(
  agendas: readonly Agenda[],
  {
    clock,
    signal,
    since,
    endMs,
  }: { readonly clock: Clock; readonly signal: AbortSignal; readonly since: number; readonly endMs?: number | undefined },
): Promise<void> {
  const isOver = () => signal.aborted || (agendas[0]?.nextAt ?? Number.POSITIVE_INFINITY) === Number.POSITIVE_INFINITY
  // Never longer than a timer can: an interval may be a month.
  const wait = (until: number) =>
    clock.sleep(Math.min(3_600_000, Math.max(0, Math.ceil(until - (clock.monotonic() - since)))), signal).catch(() => undefined)
  while (!isOver()) {
    const now = clock.monotonic() - since
    let next = earliest(agendas)
    for (let n = 0; n < perTurn && next.nextAt <= now; n++) {
      next.run()
      next = earliest(agendas)
    }
    if (!isOver()) await wait(next.nextAt)
  }
  while (endMs !== undefined && !signal.aborted && clock.monotonic() - since < endMs) await wait(endMs)
}

/** An agenda that does `run` for every tick of a plan. */
export function agendaOf(plan: Plan, run: (device: number, at: number) => void): Agenda {
  return {
    get nextAt() {
      return plan.nextAt
    },
    run() {
      const { device, at } = plan.next()
      run(device, at)
    },
  }
}

/** An agenda of recurring things with times of their own. */
export function agendaOfEach<T extends Planned>(
  things: readonly T[],
  endMs: number | undefined,
  run: (thing: T, at: number) => void,
): Agenda {
  return agendaOf(createPlan(things, { endMs }), (index, at) => run(things[index]!, at))
}

/** An agenda of things that happen once, in order. */
export function agendaOfOnce<T extends { readonly at: number }>(things: readonly T[], run: (thing: T) => void): Agenda {
  let next = 0
  return {
    get nextAt() {
      return things[next]?.at ?? Number.POSITIVE_INFINITY
    },
    run: () => run(things[next++]!),
  }
}

function earliest(agendas: readonly Agenda[]): Agenda {
  return agendas.reduce((first, agenda) => (agenda.nextAt < first.nextAt ? agenda : first))
}
