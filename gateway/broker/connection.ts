// A device connection, from its first byte to its last.
import type { Duplex } from 'node:stream'
import type { Clock } from '../../lib/clock.ts'
import type { Access, Caller, Session } from '../access/access.ts'
import { type ErrorCode, GatewayError } from '../errors.ts'
import type { Observe } from '../observe/observe.ts'
import type { OpenBytes } from './ack-queue.ts'
import { type Admit, connackOf } from './admit.ts'
import type { AedesBroker, AedesConnection, ConnectionEvents, ConnectRequest } from './aedes.ts'
import { toQos2Answer } from './answers.ts'
import type { Ingest } from './broker.ts'
import { amendConnack, type Connack } from './connack.ts'
import type { FanOut } from './fan-out.ts'
import { guarded, guardStream } from './guard.ts'
import { Inlet } from './inlet.ts'
import { type ConnectionIdentity, type ConnectionNumbers, type DisconnectReason, presence, subscriptionsChanged } from './lifecycle.ts'
import { disconnect, disconnectGently, endingFor, expiryOf, type Link, refuseIllegal, refusePublish, tooSmall } from './link.ts'
import type { Memory } from './memory.ts'
import type { Outbox } from './outbox.ts'
import type { AckPacket } from './packets/decode.ts'
import { type IllegalPacket, reasonOf } from './packets/illegal.ts'
import { ReadLoop, withBackPressure } from './read-loop.ts'
import type { Receiver, Routes } from './routes.ts'
import type { Occupant, Seats } from './seats.ts'
import type { Opened, Sessions } from './sessions/sessions.ts'
import { type Subscriber, subscribe, unsubscribe } from './subscribe.ts'
import type { WaitingRoom } from './waiting-room.ts'

/*
   accept ─▶ CONNECT ─▶ authenticate, session ─▶ CONNACK ─▶ resend ─▶ read loop ─▶ will ─▶ clean up
            onConnect          onLogin          onAdmitted   onReady                onWill    onGone
   └──────────── Connecting ───────────┘└──────────────────────── Admitted ───────────────────────┘
*/

/** A connection before it has a session. */
export interface Connecting {
  readonly state: 'connecting'
  readonly link: Link
  /** MQTT 5: how many topics the client remembers by a number [MQTT5-3.1.2.11.5]. */
  topicAliases: number
  /** The broker chose the client identifier. */
  named: boolean
  /** Why the client was refused. */
  refusal: ErrorCode | undefined
}

export interface Admitted {
  readonly state: 'admitted'
  readonly link: Link
  readonly session: Session
  readonly opened: Opened
  readonly receiver: Receiver
  readonly outbox: Outbox
}

export type Connection = Connecting | Admitted

export interface ConnectionDeps {
  readonly aedes: AedesBroker<ServedConnection>
  readonly access: Access
  readonly admit: Admit
  readonly ingest: Ingest
  readonly fanOut: FanOut
  readonly routes: Routes
  readonly sessions: Sessions
  readonly seats: Seats
  readonly memory: Memory
  readonly numbers: ConnectionNumbers
  /** Connections that have not sent CONNECT. */
  readonly silent: WaitingRoom<ServedConnection>
  /** All connections that have not ended. */
  readonly present: Set<ServedConnection>
  /** Unacknowledged payloads of all connections. */
  readonly open: OpenBytes
  readonly maxPacketBytes: number
  readonly maxTopicAlias: number
  /** false: decode every PUBLISH. */
  readonly fastPaths: boolean
  readonly observe: Observe
  readonly clock: Clock
  readonly ids: () => string
}

/** A connection as the broker holds it. */
export interface ServedConnection extends ConnectionEvents {
  readonly caller: Caller
  /** The filters of an admitted client. */
  filters(): readonly string[]
  /** Counts as a packet of the client while the broker does not read its packets. */
  keepAlive(): void
  /** Ends the connection when its certificate or secret no longer holds. */
  endIfRevoked(): void
  /** Answers what the client has published, then disconnects it. Resolves when its will is ingested. */
  leave(): Promise<void>
  destroy(): void
  /** Frees everything that belongs to the connection. */
  end(): void
}

/** [AWS iot mqtt reason codes] */
const administrativeAction = 0x98
const serverShuttingDown = 0x8b
const sessionTakenOver = 0x8e

/** The life of a connection, in its order. aedes calls the `on…` methods. */
export function serve(stream: Duplex, caller: Caller, deps: ConnectionDeps): ServedConnection {
  const { aedes, admit, fanOut, numbers, seats, silent, present, routes, observe, clock, ids } = deps
  const closed = new Promise<void>((resolve) => stream.once('close', resolve))
  const settled = Promise.withResolvers<void>()
  const seat: Occupant = { leave: () => takeOver(link, closed), settled: settled.promise }
  let identity: ConnectionIdentity | undefined

  const served: ServedConnection = {
    caller,
    onConnect(packet) {
      silent.leave(served)
      negotiate(packet, connecting, deps)
    },
    onLogin(login) {
      if (connecting.named) client.announceId() // [MQTT5-3.2.2.3.7]
      return admit(connecting, login, seat, (admitted) => {
        connection = admitted
      })
    },
    onAdmitted() {
      identity = numbers.next(admitted().session.source, ids())
      fanOut.announce(presence.connected(identity, clock.now()))
    },
    onReady() {
      observe.record('client.connected', { clientId: client.id, transport: caller.transport })
      resend(admitted(), deps)
      settled.resolve()
    },
    // The read loop runs from here until the connection ends.
    onSilent() {
      link.ending = 'MQTT_KEEP_ALIVE_TIMEOUT'
    },
    onFailed(error) {
      // aedes reports a client that was silent too long as an error too.
      link.ending ??= 'CLIENT_ERROR'
      observe.record('client.failed', { code: 'PROTOCOL', clientId: client.id, detail: error.message })
    },
    onWill: (will) => inlet.take(will),
    onGone() {
      served.end()
      observe.record('client.disconnected', { clientId: client.id, transport: caller.transport })
      if (identity) fanOut.announce(presence.disconnected(identity, clock.now(), endingOf(link, aedes)))
    },
    end() {
      if (!present.delete(served)) return
      silent.leave(served)
      seats.leave(client.id, seat)
      settled.resolve()
      if (connection.state === 'admitted') cleanUp(connection, routes)
    },

    filters: () => routes.filtersOf(admitted().receiver),
    keepAlive() {
      if (inlet.isFull()) client.touch()
    },
    endIfRevoked() {
      if (connection.state === 'admitted') endIfRevoked(connection, observe)
    },
    leave: () => leave(link, inlet, loop),
    destroy: () => void stream.destroy(),
  }

  const onError = (error: unknown) => {
    recordError(link, error, observe)
    stream.destroy()
  }
  const client = guarded(onError, () => aedes.handle(stream, served))
  const link: Link = { client, caller, ending: undefined }
  const connecting: Connecting = { state: 'connecting', link, topicAliases: 0, named: false, refusal: undefined }
  let connection: Connection = connecting
  const admitted = () => expectAdmitted(connection)
  const { inlet, loop } = read(stream, link, served, { ...{ deps, admitted, onError }, identity: () => identity })
  completeConnack(stream, link, served, () => connackOf(connection))
  guardStream(stream, onError)
  stream.once('close', () => served.end())
  present.add(served)
  silent.enter(served)
  return served
}

function expectAdmitted(connection: Connection): Admitted {
  if (connection.state === 'admitted') return connection
  throw new Error('the connection has no session yet')
}

/** Changes CONNECT to what the broker grants. */
function negotiate(packet: ConnectRequest, connecting: Connecting, { access, ids }: ConnectionDeps): void {
  const seconds = access.limits.keepAliveSeconds(packet.keepalive ?? 0)
  const granted = Number.isFinite(seconds) ? Math.ceil(seconds) : 0
  if (granted !== packet.keepalive) connecting.link.client.announceKeepAlive(granted) // [MQTT5-3.2.2.3.14]
  packet.keepalive = granted
  connecting.topicAliases = packet.properties?.topicAliasMaximum ?? 0
  if (packet.clientId === '' && (packet.clean || packet.protocolVersion === 5)) {
    packet.clientId = ids() // [MQTT-3.1.3-6]
    connecting.named = true
  }
}

function completeConnack(stream: Duplex, link: Link, served: ServedConnection, amend: () => Connack | undefined): void {
  const { client } = link
  amendConnack(stream, {
    amend,
    version: () => client.version ?? 4,
    maxBytes: () => client.maxPacketBytes,
    onTooLarge: (bytes) => refuse(served, link, tooSmall(bytes, client.maxPacketBytes)),
  })
}

/** Queued messages come first, then those that are queued from now on. */
function resend({ opened, outbox, session }: Admitted, { routes, sessions }: ConnectionDeps): void {
  const stored = opened.session
  if (!stored) return
  session.resume(routes.filtersOf(stored))
  for (const [kept, flagged] of sessions.queued(stored)) outbox.offer(stored, kept, flagged, true)
  stored.outbox = outbox
}

interface Reading {
  readonly deps: ConnectionDeps
  readonly admitted: () => Admitted
  readonly identity: () => ConnectionIdentity | undefined
  readonly onError: (error: unknown) => void
}

/** Starts the read loop, and the inlet that takes its publishes. */
function read(stream: Duplex, link: Link, served: ServedConnection, { deps, admitted, identity, onError }: Reading) {
  const { ingest, fanOut, routes, observe, clock, ids, open, maxPacketBytes, maxTopicAlias, fastPaths } = deps
  const { client } = link
  const paused = withBackPressure(stream, () => inlet.isFull() || loop.isWaiting())
  const inlet = new Inlet({
    ...{ client, ingest, fanOut, observe, clock, ids, subscriptions: routes, shared: open, onError },
    session: () => admitted().session,
    onRoom: paused.resume,
    onRefused(publish, error) {
      if (!(error instanceof GatewayError)) recordError(link, error, observe)
      return refusePublish(link, publish, error)
    },
  })
  const announce = (what: 'subscribed' | 'unsubscribed') => (filters: readonly string[]) => {
    const by = identity()
    if (by && filters.length > 0 && !client.closed) fanOut.announce(subscriptionsChanged(what, by, clock.now(), filters))
  }
  const loop = new ReadLoop(client, {
    ...{ maxPacketBytes, maxTopicAlias, onReleased: paused.resume, onError },
    handlers: {
      publish: (packet) => inlet.take(packet),
      frame: (bytes, frame) => fastPaths && inlet.takeFrame(bytes, frame),
      subscribe: (packet) => subscribe(packet, toSubscriber(admitted(), observe), deps, announce('subscribed')),
      unsubscribe: (packet) => unsubscribe(packet, toSubscriber(admitted(), observe), deps, announce('unsubscribed')),
      ack: (packet) => (packet.cmd === 'puback' ? admitted().outbox.acknowledged(packet.messageId) : answerQos2(client, packet)),
      illegal: (error) => refuse(served, link, error),
    },
  })
  return { inlet, loop }
}

function refuse(served: ServedConnection, link: Link, error: IllegalPacket): void {
  served.onFailed(error)
  refuseIllegal(link, error)
}

function answerQos2({ conn, version }: AedesConnection, packet: AckPacket): void {
  const answer = toQos2Answer(packet, version ?? 4)
  if (answer) conn.write(answer)
}

function toSubscriber({ link, session, receiver, outbox }: Admitted, observe: Observe): Subscriber {
  const { client } = link
  return {
    ...{ version: client.version ?? 4, session, receiver, outbox },
    isOpen: () => !client.closed && client.disconnectReasonCode === null,
    write(packet) {
      if (packet.length <= client.maxPacketBytes) client.conn.write(packet)
      else disconnect(link, reasonOf.tooLarge, 'SERVER_INITIATED_DISCONNECT') // [MQTT-3.1.2-24]
    },
    disconnect(reasonCode, code) {
      observe.record('client.failed', { code, clientId: client.id })
      disconnect(link, reasonCode, endingFor(code))
    },
  }
}

/** A newer connection has the client identifier. Resolves when the socket is closed. */
function takeOver(link: Link, closed: Promise<void>): Promise<void> {
  disconnect(link, sessionTakenOver, 'DUPLICATE_CLIENTID')
  return closed
}

function endIfRevoked({ link, session }: Admitted, observe: Observe): void {
  const revoked = session.revoked()
  if (!revoked || link.client.closed) return
  const { clientId, transport } = session.source
  observe.record('client.revoked', { clientId, transport, code: revoked.code, detail: revoked.message, ...revoked.details })
  disconnect(link, administrativeAction, 'AUTH_ERROR')
}

function leave(link: Link, inlet: Inlet, loop: ReadLoop): Promise<void> {
  return new Promise((resolve) => {
    const { client } = link
    const { conn } = client
    conn.once('close', () => setImmediate(() => inlet.whenAnswered(resolve)))
    if (conn.closed) return resolve()
    if (client.version === null) return void conn.destroy() // no CONNECT yet
    const sayGoodbye = () => loop.finish(() => inlet.whenAnswered(() => disconnectGently(link, serverShuttingDown)))
    if (client.connected && client.connackSent) sayGoodbye()
    else client.onceConnected(sayGoodbye)
  })
}

function endingOf({ client, ending = 'CONNECTION_LOST' }: Link, aedes: ConnectionDeps['aedes']): DisconnectReason {
  if (client.saidGoodbye) return 'CLIENT_INITIATED_DISCONNECT'
  return aedes.closed ? 'SERVER_INITIATED_DISCONNECT' : ending
}

function cleanUp({ link, opened, outbox, receiver }: Admitted, routes: Routes): void {
  outbox.stop()
  if (!opened.session) routes.removeAll(receiver)
  else if (opened.session.outbox === outbox) opened.session.outbox = undefined
  opened.close(expiryOf(link.client))
}

/** Records an error of the gateway with its cause. */
function recordError({ client, caller }: Link, error: unknown, observe: Observe): void {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error)
  observe.record('client.failed', { code: 'INTERNAL', clientId: client.id, transport: caller.transport, detail })
}
