// How far behind a queue is, how fast that changes, and when it will be level again.
import type { Clock } from '../../lib/clock.ts'
import type { ConsumerStats } from './consumer.ts'
import type { Queue } from './queue.ts'

export interface BacklogReport {
  readonly queue: string
  readonly waiting: number
  readonly inFlight: number
  /** Age of the oldest message seen, in milliseconds; absent when nothing is there. */
  readonly oldestMs?: number
  /** Where it is not known what is served: what came and stayed. */
  readonly arrivalsPerSecond: number
  /** Where it is not known: by how much more went than came. */
  readonly servedPerSecond: number
  /** Milliseconds until nothing waits, at the present rates; absent when that never comes. */
  readonly drainMs?: number
  /** `level`, `level again at 14:32`, or why not. */
  readonly outlook: string
}

export interface Backlog {
  start(): void
  stop(): void
  /** Looks once. Rejects when the queue cannot be asked. */
  sample(): Promise<void>
  report(): BacklogReport
}

export interface BacklogOptions {
  readonly queue: Pick<Queue, 'name' | 'depth'>
  /** What this process takes away; absent: nothing does that we know of. */
  readonly stats?: () => Pick<ConsumerStats, 'handled' | 'buried' | 'sidelined' | 'oldestAt'>
  readonly clock: Pick<Clock, 'now' | 'monotonic' | 'every'>
  readonly everyMs?: number
  /** Rates are over this time. */
  readonly windowMs?: number
}

interface Sample {
  /** Monotonic. */
  readonly at: number
  readonly waiting: number
  readonly inFlight: number
  readonly served: number | undefined
  readonly oldestAt?: number
}

export function createBacklog({ queue, stats, clock, everyMs = 5_000, windowMs = 60_000 }: BacklogOptions): Backlog {
  let samples: readonly Sample[] = []
  let off: (() => void) | undefined

  const sample = async () => {
    const depth = await queue.depth()
    const done = stats?.()
    const served = done && done.handled + done.buried + done.sidelined
    const oldestAt = done?.oldestAt ?? depth.oldestAt
    const at = clock.monotonic()
    const taken: Sample = { at, ...depth, served, ...(oldestAt === undefined ? {} : { oldestAt }) }
    samples = [...samples.filter((earlier) => at - earlier.at <= windowMs), taken]
  }

  return {
    sample,
    start() {
      off ??= clock.every(everyMs, () => void sample().catch(() => undefined)) // an unreachable queue is the consumer's to report
    },
    stop() {
      off?.()
      off = undefined
    },
    report: () => toReport(queue.name, samples, clock.now()),
  }
}

function toReport(queue: string, samples: readonly Sample[], now: number): BacklogReport {
  const first = samples[0]
  const last = samples.at(-1)
  if (!first || !last) {
    return { queue, waiting: 0, inFlight: 0, arrivalsPerSecond: 0, servedPerSecond: 0, outlook: 'not looked at yet' }
  }
  const seconds = (last.at - first.at) / 1_000
  const perSecond = (count: number) => (seconds > 0 ? Math.max(0, count / seconds) : 0)
  const growth = last.waiting + last.inFlight - first.waiting - first.inFlight
  const served = last.served === undefined || first.served === undefined ? Math.max(0, -growth) : last.served - first.served
  const servedPerSecond = perSecond(served)
  const arrivalsPerSecond = perSecond(served + growth)
  const drainPerSecond = seconds > 0 ? -growth / seconds : 0
  const { waiting, inFlight, oldestAt } = last
  return {
    queue,
    waiting,
    inFlight,
    ...(oldestAt === undefined ? {} : { oldestMs: Math.max(0, now - oldestAt) }),
    arrivalsPerSecond: round(arrivalsPerSecond),
    servedPerSecond: round(servedPerSecond),
    ...outlookOf(waiting, drainPerSecond, now, samples.length > 1),
  }
}

function outlookOf(waiting: number, drainPerSecond: number, now: number, known: boolean): Pick<BacklogReport, 'outlook' | 'drainMs'> {
  if (waiting === 0) return { outlook: 'level', drainMs: 0 }
  if (!known) return { outlook: 'look again for a rate' }
  if (drainPerSecond <= 0) return { outlook: drainPerSecond === 0 ? 'does not move' : `grows by ${round(-drainPerSecond)}/s` }
  const drainMs = Math.round((waiting / drainPerSecond) * 1_000)
  return { outlook: `level again at ${clockTime(now + drainMs, now)}`, drainMs }
}

/** `14:32`, with the date in front when it is not today's; in the local time of whoever reads it. */
function clockTime(at: number, now: number): string {
  const day = (time: number) => new Date(time).toLocaleDateString('sv-SE')
  const time = new Date(at).toLocaleTimeString('sv-SE', { hour: '2-digit', minute: '2-digit' })
  return day(at) === day(now) ? time : `${day(at)} ${time}`
}

const round = (value: number) => Math.round(value * 10) / 10
