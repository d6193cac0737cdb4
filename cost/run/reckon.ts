// From what three phases counted to what one session, one keep-alive and one message cost: differences, and nothing guessed.
import type { Measurement } from '../measurement.ts'
import { steps } from '../metering.ts'
import { type PathName, paths } from '../paths.ts'
import { addUsage, type Usage } from '../price.ts'
import { incrementBytes, loadPriceBook } from '../price-book.ts'
import { addBytes, type Bytes, scale, sessionTcpIp, tcpIp, tlsRecord } from '../wire.ts'
import type { Calls } from './aws-meter.ts'
import { type Segments, segmentHeader } from './kernel.ts'
import type { Totals } from './tally.ts'
import { type Transport, type TransportName, transports } from './transports.ts'
import type { Role } from './unit.ts'

export interface Snapshot {
  readonly totals: Totals
  readonly kernel: Segments | undefined
}

export interface Found {
  readonly start: Snapshot
  readonly end: Snapshot
  /** While every connection stood and nothing had been said. */
  readonly standing?: { readonly ciphertext: Bytes; readonly kernel: Segments }
}

/** Rules that matched, actions that a target accepted, and those of them that were SQS. */
export interface Fired {
  readonly rules: number
  readonly actions: number
  readonly toSqs: number
}

export interface Account {
  readonly clientIdBytes: number
  readonly qos: 0 | 1
  readonly aws: Calls['calls']
  readonly fired: Fired
  readonly fleet: Measurement['fleet']
  readonly ledger: Measurement['ledger']
  readonly problems: readonly string[]
}

/** What a phase added. */
interface Phase {
  readonly connections: number
  readonly ciphertext: Bytes
  /** Of one role: application bytes, and the TLS records around them. */
  of(role: Role): Bytes
  records(role: Role): Bytes
  /** Headers of TCP and IP; undefined where nobody counted. */
  readonly headers: Bytes | undefined
}

export function toMeasurement(
  name: TransportName,
  found: Readonly<Record<'open' | 'talk', Found>> & { readonly idle?: Found },
  { clientIdBytes, qos, aws, fired, fleet, ledger, problems }: Account,
): Measurement {
  const transport: Transport = transports[name]
  const [open, talk, idle] = [phaseOf(found.open), phaseOf(found.talk), found.idle && phaseOf(found.idle)]
  const { end, start } = found.talk
  const messages = end.totals.messages - start.totals.messages
  const payload = (end.totals.payloadBytes - start.totals.payloadBytes) / messages
  const topicBytes = (end.totals.topicBytes - start.totals.topicBytes) / messages
  const each = (role: Role) => scale(talk.of(role), 1 / messages)
  const tls = scale(addBytes(talk.records('message'), talk.records('ack')), tlsRecord / messages)

  // A session that carries a message at once has fewer bare acknowledgements than one that is silent: measured as it was, with the message.
  const whole = transport.isReconnecting && talk.headers && scale(addBytes(talk.ciphertext, talk.headers), 1 / talk.connections)
  const ownHeaders = scale(addBytes(talk.records('message'), talk.records('ack')), segmentHeader / messages)
  const sessionBytes = scale(open.ciphertext, 1 / open.connections)
  const sessionHeaders = open.headers ? scale(open.headers, 1 / open.connections) : sessionTcpIp(sessionBytes)
  const message = each('message')
  const parts = {
    payload: { up: payload, down: 0 },
    framing: { up: message.up - payload, down: message.down },
    acks: each('ack'),
    tls,
    tcpip: whole
      ? ownHeaders
      : talk.headers
        ? scale(minus(talk.headers, scale(sessionHeaders, talk.connections)), 1 / messages)
        : tcpIp(addBytes(message, each('ack'), tls)),
  }
  const perSession = whole ? minus(whole, addBytes(...Object.values(parts))) : addBytes(sessionBytes, sessionHeaders)
  const { standing } = found.open
  return {
    transport: name,
    title: transport.title,
    protocol: transport.protocol,
    reconnecting: transport.isReconnecting ?? false,
    message: { payloadBytes: payload, topicBytes, clientIdBytes, qos },
    sessions: talk.connections,
    messages,
    keepAlives: found.idle ? pings(found.idle) : 0,
    parts,
    perSession,
    ...(standing && { perOpen: scale(addBytes(standing.ciphertext, standing.kernel.headers), 1 / standing.kernel.connections) }),
    ...(idle && { perKeepAlive: keepAliveOf(idle, pings(found.idle!), sessionHeaders) }),
    tcpip: talk.headers ? 'kernel' : 'model',
    retransmittedBytes: (end.kernel?.retransmitted ?? 0) - (start.kernel?.retransmitted ?? 0),
    packets: packetsOf(found.talk),
    aws,
    billed: transport.paths.map((path) => ({ path, usage: usageOf(path, found.talk, { aws, fired }, payload) })),
    fleet,
    ledger,
    problems: [...problems],
  }
}

function phaseOf({ start, end }: Found): Phase {
  const counted = end.kernel && start.kernel
  return {
    connections: end.totals.connections - start.totals.connections,
    ciphertext: minus(end.totals.ciphertext, start.totals.ciphertext),
    of: (role) => minus(end.totals.roles[role].bytes, start.totals.roles[role].bytes),
    records: (role) => minus(end.totals.records[role], start.totals.records[role]),
    headers: counted && end.kernel!.connections === end.totals.connections ? minus(end.kernel!.headers, start.kernel!.headers) : undefined,
  }
}

function keepAliveOf(idle: Phase, count: number, sessionHeaders: Bytes): Bytes {
  const bytes = addBytes(idle.of('keepAlive'), scale(idle.records('keepAlive'), tlsRecord))
  if (!idle.headers) return addBytes(scale(bytes, 1 / count), tcpIp(scale(bytes, 1 / count)))
  return scale(addBytes(bytes, minus(idle.headers, scale(sessionHeaders, idle.connections))), 1 / count)
}

const pings = ({ start, end }: Found) => (end.totals.kinds['PINGREQ up']?.count ?? 0) - (start.totals.kinds['PINGREQ up']?.count ?? 0)

function packetsOf({ start, end }: Found): Measurement['packets'] {
  const rows = Object.entries(end.totals.kinds).map(([kind, { count, up, down }]) => {
    const before = start.totals.kinds[kind] ?? { count: 0, up: 0, down: 0 }
    return [kind, { count: count - before.count, up: up - before.up, down: down - before.down }] as const
  })
  return Object.fromEntries(rows.filter(([, { count }]) => count > 0))
}

/** Which of the billed items are the path's own, by the beginning of their names. */
const ownItems: readonly (readonly [path: string, item: string])[] = [
  ['iot-', 'iotCore.'],
  ['api-http', 'apiGateway.http'],
  ['api-rest', 'apiGateway.rest'],
  ['api-websocket', 'apiGateway.webSocket'],
]

/** Every priced item that the path's services would have metered while devices talked; rules, actions and sends by the mean size of a message. */
function usageOf(name: PathName, { start, end }: Found, { aws, fired }: Pick<Account, 'aws' | 'fired'>, payloadBytes: number): Usage {
  const book = loadPriceBook('us-east-1')
  const by = (item: string) => steps(payloadBytes, incrementBytes(book, item))
  const isIot = name.startsWith('iot-')
  const prefix = ownItems.find(([path]) => name.startsWith(path))?.[1]
  const items = Object.entries(minusUsage(billedOf(end), billedOf(start)))
  const own = Object.fromEntries(items.filter(([item]) => prefix !== undefined && item.startsWith(prefix)))
  const minutes = end.totals.minutes - start.totals.minutes
  const requests = (...calls: readonly string[]) => calls.reduce((sum, call) => sum + (aws[call]?.requests ?? 0), 0)
  const singly = (isIot ? fired.toSqs : end.totals.messages - start.totals.messages) * by('sqs.standardRequests')
  const sends = name.startsWith('weir-') ? requests('SendMessage', 'SendMessageBatch') : singly
  return {
    ...own,
    ...(isIot && paths[name].protocol !== 'https' && { 'iotCore.connectionMinutes': minutes }),
    ...(name.startsWith('api-websocket') && { 'apiGateway.webSocketConnectionMinutes': minutes }),
    ...(isIot && {
      'iotCore.rulesTriggered': fired.rules * by('iotCore.rulesTriggered'),
      'iotCore.actionsExecuted': fired.actions * by('iotCore.actionsExecuted'),
    }),
    'sqs.standardRequests': sends + requests('ReceiveMessage', 'DeleteMessage', 'DeleteMessageBatch'),
    ...(requests('Publish') > 0 && { 'sns.standardPublishes': requests('Publish') }),
  }
}

const billedOf = ({ totals }: Snapshot): Usage => addUsage(...Object.values(totals.kinds).map(({ billed }) => billed))
const minus = (a: Bytes, b: Bytes): Bytes => ({ up: a.up - b.up, down: a.down - b.down })

function minusUsage(a: Usage, b: Usage): Usage {
  return Object.fromEntries(Object.entries(a).map(([item, quantity]) => [item, quantity - (b[item] ?? 0)]))
}
