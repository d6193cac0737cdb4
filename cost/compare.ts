// The published comparison of MQTT and HTTP bytes, and the same table from a measured run.
import { CostError } from './errors.ts'
import { formatCount } from './format.ts'
import { bytesOfMessage, type Measurement, type Run } from './measurement.ts'
import type { Bytes } from './wire.ts'

export interface ByteColumn {
  readonly title: string
  readonly open: number
  readonly close: number
  readonly message: number
  /** A connection for all messages, or one for each. */
  readonly isKept: boolean
}

/** Printed by HiveMQ in 2022 from an experiment of Google in 2018. The parts of its MQTT column sum to 9,828 for ten messages. */
export const published: readonly ByteColumn[] = [
  { title: 'MQTT, published', open: 5_572, close: 376, message: 388, isKept: true },
  { title: 'HTTP, published', open: 2_261, close: 0, message: 3_285, isKept: false },
]

const columns = [
  ['mqtt', 'MQTT', true],
  ['https-per-message', 'HTTPS, a connection a message', false],
  ['https', 'HTTPS, connection kept', true],
  ['websocket', 'WebSocket', true],
] as const

/** Both ways, TCP/IP included. Throws a CostError when the run has no transport with its connections looked at. */
export function measuredColumns({ transports }: Run): readonly ByteColumn[] {
  const found = columns.flatMap(([name, title, isKept]) => {
    const one = transports.find(({ transport }) => transport === name)
    return one?.perOpen ? [toColumn(one, one.perOpen, title, isKept)] : []
  })
  if (found.length === 0)
    throw new CostError(
      'the run does not say what opening a connection costs: that takes Linux, iproute2 and one of mqtt, https or websocket',
      1,
    )
  return found
}

function toColumn(one: Measurement, perOpen: Bytes, title: string, isKept: boolean): ByteColumn {
  const open = both(perOpen)
  return { title, open, close: both(one.perSession) - open, message: both(bytesOfMessage(one)), isKept }
}

export function bytesOf({ open, close, message, isKept }: ByteColumn, messages: number): number {
  return isKept ? open + close + messages * message : messages * (open + close + message)
}

export interface ComparedTable {
  readonly header: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

export function compareTable(all: readonly ByteColumn[]): ComparedTable {
  const row = (title: string, of: (column: ByteColumn) => number) => [title, ...all.map((column) => formatCount(of(column)))]
  return {
    header: ['bytes', ...all.map(({ title }) => title)],
    rows: [
      row('open the connection', ({ open }) => open),
      row('close', ({ close }) => close),
      row('each message', ({ message }) => message),
      ...[1, 10, 100].map((n) => row(`${n} message${n === 1 ? '' : 's'}`, (column) => bytesOf(column, n))),
    ],
  }
}

const both = ({ up, down }: Bytes) => up + down
