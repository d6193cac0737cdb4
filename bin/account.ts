// The whole way of every message, from the device to its consumer, as numbers that must add up.
import type { FleetReport } from '../device-sim/fleet.ts'
import type { Resources } from '../gateway/config.ts'
import type { Gateway } from '../gateway/gateway.ts'

export interface Account {
  readonly ledger: ReturnType<Gateway['ledger']>
  readonly fleet: Pick<FleetReport, 'devices' | 'sent' | 'acked' | 'failed' | 'dropped' | 'seed'>
  /** Bodies that queues accepted, copies that topics made for queues included; without what is behind a filter. */
  readonly delivered: number
  /** Of those, handled by a consumer or buried in a dead-letter queue. */
  readonly consumed: number
  readonly buried: number
  /** By queue: what its consumer handled. */
  readonly queues: Readonly<Record<string, number>>
  /** Of these, how many messages to expect is not known beforehand. */
  readonly filtered: readonly string[]
  /** Acknowledged to a device and never taken into the books, or delivered to a queue and neither consumed nor waiting there. */
  readonly lost: number
}

export async function account(
  gateway: Gateway,
  { devices, sent, acked, failed, dropped, seed }: FleetReport,
  resources: Resources,
): Promise<Account> {
  const ledger = gateway.ledger()
  const { metrics } = gateway.observe
  const { copies, uncounted } = fanOut(resources)
  const delivered = metrics.total('action.delivered', { action: 'sqs' }) + copies * metrics.total('action.delivered', { action: 'sns' })
  const stats = gateway.consumers.map((consumer) => ({ queue: consumer.queue, ...consumer.stats() }))
  const counted = stats.filter(({ queue }) => !uncounted.has(queue))
  const buried = counted.reduce((sum, { buried }) => sum + buried, 0)
  const consumed = counted.reduce((sum, { handled }) => sum + handled, buried)
  const states = consumed >= delivered ? [] : await gateway.queues()
  const waiting = states
    .filter(({ queue }) => !uncounted.has(queue))
    .reduce((sum, { waiting = 0, inFlight = 0 }) => sum + waiting + inFlight, 0)
  return {
    ledger,
    fleet: { devices, sent, acked, failed, dropped, seed },
    delivered,
    consumed,
    buried,
    queues: Object.fromEntries(stats.map(({ queue, handled }) => [queue, handled])),
    filtered: stats.flatMap(({ queue }) => (uncounted.has(queue) ? [queue] : [])),
    lost: Math.max(0, acked - ledger.accepted) + Math.max(0, delivered - consumed - waiting),
  }
}

/**
 * How many copies of a published alert must arrive in queues, and which queues get a number that nobody knows beforehand: those behind
 * a filter, and all that topics feed where one topic makes more copies than another.
 */
function fanOut({ topics }: Resources): { readonly copies: number; readonly uncounted: ReadonlySet<string> } {
  const all = Object.values(topics).map(({ queues }) => queues)
  const copies = new Set(all.map((queues) => queues.filter(({ filterPolicy }) => !filterPolicy).length))
  const even = copies.size <= 1
  const uncounted = all.flat().filter(({ filterPolicy }) => !even || filterPolicy)
  return { copies: even ? ([...copies][0] ?? 0) : 0, uncounted: new Set(uncounted.map(({ queue }) => queue)) }
}

const number = (value: number) => value.toLocaleString('en-US')

export function accountText({ ledger, fleet, delivered, consumed, buried, queues, filtered, lost }: Account, colour: boolean): string {
  const { accepted, split, delivered: done, unmatched, dead, queued, balanced } = ledger
  const verdict = lost === 0 && balanced
  const paint = (text: string) => (colour ? `\u001b[${verdict ? 32 : 31}m${text}\u001b[0m` : text)
  const refused = Object.entries({ ...ledger.refused, ...ledger.shed }).map(([code, count]) => `${number(count)} ${code}`)
  const handled = (behindFilter: boolean) =>
    Object.entries(queues)
      .filter(([queue]) => filtered.includes(queue) === behindFilter)
      .map(([queue, count]) => `${queue} ${number(count)}`)
      .join(', ')
  return [
    '',
    'Ledger',
    `  devices   ${number(fleet.sent)} sent · ${number(fleet.acked)} acknowledged · ${number(fleet.failed)} failed · ${number(fleet.dropped)} dropped`,
    `  gateway   accepted ${number(accepted)}${split > 0 ? ` + split ${number(split)}` : ''} = delivered ${number(done)} + unmatched ${number(unmatched)} + dead ${number(dead)} + queued ${number(queued)}`,
    ...(refused.length > 0 ? [`  refused   ${refused.join(' · ')}`] : []),
    `  queues    ${number(delivered)} bodies delivered · ${number(consumed)} consumed (${handled(false)}) · ${number(buried)} dead letters`,
    ...(filtered.length > 0 ? [`            and what filters let through: ${handled(true)}`] : []),
    paint(balanced ? `${number(lost)} lost` : `the ledger does not balance, ${number(lost)} lost`),
    '',
  ].join('\n')
}
