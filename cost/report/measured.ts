// What a measured run adds to a report: tables of what was counted, priced, and how it was done.
import { formatCount } from '../format.ts'
import { bytesOfMessage, type Measurement, type Run } from '../measurement.ts'
import { formatUsd } from '../money.ts'
import { priceUsage } from '../price.ts'
import { loadPriceBook } from '../price-book.ts'
import { type Bytes, messageParts, wirePartNames } from '../wire.ts'

export interface Table {
  readonly title: string
  readonly header: readonly string[]
  readonly rows: readonly (readonly string[])[]
  readonly left: readonly number[]
}

export function measuredTables(run: Run): readonly Table[] {
  return [bytesTable(run), packetsTable(run), billedTable(run), callsTable(run)]
}

/** One sentence: when, with what, and whether every message was accounted for. */
export function describeRun({ at, seed, tls, platform, devices, intervalMs, transports }: Run): string {
  const messages = transports.reduce((sum, one) => sum + one.messages, 0)
  const open = transports.filter(({ ledger, messages }) => !isBalanced(ledger, messages))
  const books =
    open.length === 0
      ? 'the ledger balances for each'
      : `the ledger does NOT balance for ${open.map(({ transport }) => transport).join(', ')}`
  const counted = transports.every(({ tcpip }) => tcpip === 'kernel') ? 'counted by the kernel' : 'modelled'
  return `Measured ${at.slice(0, 10)} over ${transports.length} transports one after the other: ${devices} devices (seed ${seed}) with a reading every ${intervalMs} ms, ${formatCount(messages)} messages in all, ${tls} on loopback, ${platform}; TCP/IP headers ${counted}; ${books}`
}

/** How full the calls to SQS were: those who do not wait for company send what they have. */
export function describeBatches({ transports }: Run): string {
  const per = (name: string) => {
    const all = transports.flatMap(({ aws }) => aws[name] ?? [])
    return (all.reduce((sum, { messages }) => sum + messages, 0) / all.reduce((sum, { calls }) => sum + calls, 0)).toFixed(1)
  }
  return `in the run Weir sent ${per('SendMessageBatch')} a call, its consumer received ${per('ReceiveMessage')} and deleted ${per('DeleteMessageBatch')}`
}

export function isBalanced(ledger: Measurement['ledger'], messages: number): boolean {
  const { balanced, accepted, split, delivered, unmatched, dead, queued, lost } = ledger
  return balanced && accepted === messages && accepted + split === delivered + unmatched + dead + queued + lost
}

function bytesTable({ transports }: Run): Table {
  return {
    title: 'Bytes on the wire, up + down',
    header: [
      'transport',
      'messages',
      'sessions',
      ...messageParts.map((part) => wirePartNames[part]),
      'a message',
      'a session',
      'a keep-alive',
      'ledger',
    ],
    rows: transports.map((one) => [
      one.transport,
      formatCount(one.messages),
      formatCount(one.sessions),
      ...messageParts.map((part) => pair(one.parts[part])),
      pair(bytesOfMessage(one)),
      pair(one.perSession),
      one.perKeepAlive ? pair(one.perKeepAlive) : '-',
      isBalanced(one.ledger, one.messages) ? `${one.ledger.accepted} = ${one.ledger.delivered} delivered` : 'NOT balanced',
    ]),
    left: [0],
  }
}

function packetsTable({ transports }: Run): Table {
  const rows = transports.flatMap(({ transport, packets, messages }) =>
    Object.entries(packets).map(([kind, { count, up, down }]) => [
      transport,
      kind,
      formatCount(count),
      (count / messages).toFixed(2),
      formatCount((up + down) / count),
    ]),
  )
  return { title: 'Packets inside TLS', header: ['transport', 'packet', 'count', 'a message', 'bytes each'], rows, left: [0, 1] }
}

function billedTable({ transports }: Run): Table {
  const book = loadPriceBook('us-east-1')
  const rows = transports.flatMap(({ transport, billed, messages }) =>
    billed.map(({ path, usage }) => [
      transport,
      path,
      Object.entries(usage)
        .map(([item, units]) => `${formatCount(units)} ${item}`)
        .join(', '),
      formatUsd((priceUsage(usage, book).totalNanoDollars * 1_000_000n) / BigInt(messages)),
    ]),
  )
  return {
    title: 'What AWS would have metered in the run',
    header: ['transport', 'path', 'units', 'USD a million messages like these'],
    rows,
    left: [0, 1, 2],
  }
}

function callsTable({ transports }: Run): Table {
  const rows = transports.flatMap(({ transport, aws }) =>
    Object.entries(aws).map(([call, { calls, requests, messages, empty }]) => [
      transport,
      call,
      formatCount(calls),
      formatCount(requests),
      formatCount(messages),
      calls === 0 ? '-' : (messages / calls).toFixed(2),
      formatCount(empty),
    ]),
  )
  return {
    title: 'Calls to SQS and SNS',
    header: ['transport', 'call', 'calls', 'requests of 64 KB', 'messages', 'messages a call', 'empty'],
    rows,
    left: [0, 1],
  }
}

const pair = ({ up, down }: Bytes) => `${formatCount(up)} + ${formatCount(down)}`
