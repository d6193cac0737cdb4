// The whole way of every message, from the device to its consumer, as numbers that must add up.
import type { FleetReport } from '../device-sim/fleet.ts'
import { deliveredTo } from '../gateway/actions/index.ts'
import type { GatewayConfig, Resources } from '../gateway/config.ts'
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
  /** By queue that nobody here takes from: what came into it. */
  readonly waiting: Readonly<Record<string, number>>
  /** Of these, how many messages to expect is not known beforehand. */
  readonly filtered: readonly string[]
  /** Acknowledged and never taken into the books, found missing from the disk, or delivered to a queue and neither consumed nor waiting there. */
  readonly lost: number
  /** How often the embedded SQS and SNS ended by themselves, with all messages in their in-memory queues. */
  readonly queuesLost: number
}

/** What `account` needs to know of how things are laid out. */
export interface Layout {
  readonly resources: Resources
  /** Queues that nobody here takes from, with what was in them before. */
  readonly unread: Readonly<Record<string, number>>
}

export async function account(
  gateway: Gateway,
  { devices, sent, acked, failed, dropped, seed }: FleetReport,
  { resources, unread }: Layout,
): Promise<Account> {
  const ledger = gateway.ledger()
  const { metrics } = gateway.observe
  const { copies, uncounted } = fanOut(resources)
  const delivered = deliveredTo('queue', metrics) + copies * deliveredTo('topic', metrics)
  const stats = gateway.consumers.map((consumer) => ({ queue: consumer.queue, ...consumer.stats() }))
  const counted = stats.filter(({ queue }) => !uncounted.has(queue))
  const buried = counted.reduce((sum, { buried }) => sum + buried, 0)
  const consumed = counted.reduce((sum, { handled }) => sum + handled, buried)
  const states = consumed >= delivered ? [] : await gateway.queues()
  const held = states.filter(({ queue }) => !uncounted.has(queue)).map((state) => ({ queue: state.queue, count: holds(state) }))
  const deadLetterQueues = new Set(Object.values(resources.queues).map(({ deadLetterQueue }) => deadLetterQueue))
  const countIn = (isDead: boolean) =>
    held.filter(({ queue }) => deadLetterQueues.has(queue) === isDead).reduce((sum, { count }) => sum + count, 0)
  // Messages that a consumer buried are consumed; SQS itself may have moved others to a dead-letter queue.
  const inQueues = countIn(false) + Math.max(0, countIn(true) - buried)
  const waiting = held
    .filter(({ queue, count }) => count > (unread[queue] ?? Infinity))
    .map(({ queue, count }) => [queue, count - unread[queue]!] as const)
  return {
    ledger,
    fleet: { devices, sent, acked, failed, dropped, seed },
    delivered,
    consumed,
    buried,
    queues: Object.fromEntries(stats.map(({ queue, handled }) => [queue, handled])),
    waiting: Object.fromEntries(waiting),
    filtered: stats.flatMap(({ queue }) => (uncounted.has(queue) ? [queue] : [])),
    lost: Math.max(0, acked - ledger.accepted) + metrics.total('message.lost') + Math.max(0, delivered - consumed - inQueues),
    queuesLost: metrics.total('local.ended', { outcome: 'lost' }),
  }
}

/** Queues that no consumer empties, as they are now. Dead letters are in the account as such. */
export async function unreadQueues(
  gateway: Pick<Gateway, 'queues'>,
  { queues }: Resources,
  consumers: GatewayConfig['consumers'],
): Promise<Layout['unread']> {
  const read = [
    ...consumers.flatMap(({ queue, sideline, deadLetterQueue }) => [queue, sideline?.queue, deadLetterQueue]),
    ...Object.values(queues).map(({ deadLetterQueue }) => deadLetterQueue),
  ]
  const states = (await gateway.queues()).filter(({ queue }) => !read.includes(queue))
  return Object.fromEntries(states.map((state) => [state.queue, holds(state)]))
}

const holds = ({ waiting = 0, inFlight = 0 }: { readonly waiting?: number; readonly inFlight?: number }) => waiting + inFlight

/** All that was delivered is where it stays. */
export function isSettled({ ledger, delivered, consumed, waiting }: Account): boolean {
  return ledger.queued === 0 && consumed + total(waiting) >= delivered
}

/** The ledger balances, nothing is left in the spool, and not every reading was refused. */
export function isWell(account: Account): boolean {
  const { ledger, lost, queuesLost } = account
  return ledger.balanced && ledger.queued === 0 && lost === 0 && queuesLost === 0 && !isUnheard(account)
}

/** There was something to send, and none of it arrived. A reading of QoS 0 is never acknowledged, and does not fail. */
function isUnheard({ fleet: { sent, acked, failed, dropped } }: Account): boolean {
  return acked === 0 && sent === failed && failed + dropped > 0
}

const total = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((sum, count) => sum + count, 0)

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

/** After a loss of queues the number is a lower bound: messages that filters let into them are not counted, and a redelivery hides a loss. */
function lostText({ lost, queuesLost }: Account): string {
  if (queuesLost === 0) return `${number(lost)} lost`
  const amount = lost === 0 ? 'an unknown number of messages lost' : `at least ${number(lost)} lost`
  return `${amount}: the embedded SQS and SNS ended ${queuesLost === 1 ? 'once' : `${number(queuesLost)} times`}, with in-memory queues`
}

const number = (value: number) => value.toLocaleString('en-US')

export function accountText(account: Account, colour: boolean): string {
  const { ledger, fleet, delivered, consumed, buried, queues, waiting, filtered } = account
  const { accepted, split, delivered: done, unmatched, dead, queued, lost: missing, balanced } = ledger
  const verdict = isWell(account)
  const paint = (text: string) => (colour ? `\u001b[${verdict ? 32 : 31}m${text}\u001b[0m` : text)
  const refused = Object.entries({ ...ledger.refused, ...ledger.shed }).map(([code, count]) => `${number(count)} ${code}`)
  const handled = (behindFilter: boolean) =>
    Object.entries(queues)
      .filter(([queue]) => filtered.includes(queue) === behindFilter)
      .map(([queue, count]) => `${queue} ${number(count)}`)
      .join(', ')
  const left = total(waiting) === 0 ? '' : ` · waiting ${number(total(waiting))} (${Object.keys(waiting).join(', ')})`
  return [
    '',
    'Ledger',
    `  devices   ${number(fleet.sent)} sent · ${number(fleet.acked)} acknowledged · ${number(fleet.failed)} failed · ${number(fleet.dropped)} dropped`,
    `  gateway   accepted ${number(accepted)} + split ${number(split)} = delivered ${number(done)} + unmatched ${number(unmatched)} + dead ${number(dead)} + queued ${number(queued)} + lost ${number(missing)}`,
    ...(refused.length > 0 ? [`  refused   ${refused.join(' · ')}`] : []),
    `  queues    ${number(delivered)} bodies delivered · ${number(consumed)} consumed (${handled(false)})${left} · ${number(buried)} dead letters`,
    ...(filtered.length > 0 ? [`            and what filters let through: ${handled(true)}`] : []),
    ...(isUnheard(account) ? [paint('not one reading was acknowledged: the log says why')] : []),
    ...(queued > 0
      ? [paint(`${number(queued)} messages are still queued: their targets did not accept them in time; the log has the reason`)]
      : []),
    paint(balanced ? lostText(account) : `the ledger does not balance, ${lostText(account)}`),
    '',
  ].join('\n')
}
