// One connection to the embedded broker, from its first byte to its last.
import type { Caller, Session } from '../access/access.ts'
import { codeOf, type ErrorCode } from '../errors.ts'
import type { Observe } from '../observe/observe.ts'
import { answerTo, toPuback } from './answers.ts'
import type { Inlet } from './inlet.ts'
import type { Connection, DisconnectReason } from './lifecycle.ts'
import type { Outbox } from './outbox.ts'
import type { PublishPacket } from './packet.ts'
import { IllegalPacket, reasonOf } from './packets/illegal.ts'
import type { Receiver } from './routes.ts'
import type { Occupant } from './seats.ts'
import type { Opened } from './sessions/sessions.ts'
import type { Subscriber } from './subscribe.ts'
import type { Tap, TapClient } from './tap.ts'

/** An aedes client, as far as this broker must know it; `_` begins what aedes does not declare. */
export interface PeerClient extends TapClient {
  readonly id: string
  readonly clean: boolean
  /** As asked for by CONNECT, or later by DISCONNECT [MQTT5-3.1.2.11.2]. */
  readonly sessionExpiryInterval: number
  readonly maximumPacketSize: number | undefined
  readonly receiveMaximum: number | undefined
  readonly _will: PublishPacket | null
  readonly _cleanStart: boolean
  /** A DISCONNECT came. */
  readonly _disconnected: boolean
  disconnect(options: { readonly reasonCode: number }): void
}

export interface Peer {
  readonly client: PeerClient
  readonly caller: Caller
  readonly inlet: Inlet
  readonly finish: Tap['finish']
  /** Its place under its client identifier. */
  readonly seat: Occupant
  /** Called when the connection has its CONNACK, and when it has ended. */
  readonly settle: () => void
  /** What follows is there once it was let in. */
  session?: Session
  opened?: Opened
  receiver?: Receiver
  outbox?: Outbox
  connection?: Connection
  /** Why it was not let in. */
  refusal?: ErrorCode
  /** MQTT 5: topics it remembers by a number. */
  topicAliases?: number
  /** The gateway chose its client id. */
  named?: boolean
  ending?: DisconnectReason
}

const sessionTakenOver = 0x8e

export function createPeerState(client: PeerClient, caller: Caller, intake: Pick<Peer, 'inlet' | 'finish'>): Peer {
  const settled = Promise.withResolvers<void>()
  const closed = new Promise<void>((resolve) => client.conn.once('close', resolve))
  const leave = () => {
    disconnect(peer, sessionTakenOver, 'DUPLICATE_CLIENTID')
    return closed
  }
  const peer: Peer = { client, caller, ...intake, seat: { leave, settled: settled.promise }, settle: settled.resolve }
  return peer
}

/** A session expiry interval that means never [MQTT5-3.1.2.11.2]. */
const neverSeconds = 0xffffffff

/** Seconds that the session of a client lives without it. */
export function expiryOf({ sessionExpiryInterval }: PeerClient): number {
  return sessionExpiryInterval >= neverSeconds ? Number.POSITIVE_INFINITY : sessionExpiryInterval
}

/** Ends a connection, and MQTT 5 is told why. */
export function disconnect(peer: Peer, reasonCode: number, ending: DisconnectReason): void {
  peer.ending = ending
  peer.client.disconnect({ reasonCode })
}

/**
 * Ends a connection like `disconnect`, but waits until the client closes its side. Destroying the socket while the client still
 * sends would reset it, and the client could lose its last PUBACKs.
 */
export function farewell(peer: Peer, reasonCode: number): void {
  const { client } = peer
  if (client.closed) return
  peer.ending = 'SERVER_INITIATED_DISCONNECT'
  Object.assign(client, { disconnectReasonCode: reasonCode }) // nothing more is written
  if (client.version === 5) client.conn.end(Buffer.from([0xe0, 1, reasonCode]))
  else client.conn.end()
}

/** Ends the connection that sent an illegal packet: MQTT 5 is told why, in CONNACK or DISCONNECT [MQTT5-4.13.1]. */
export function refuseIllegal(peer: Peer, error: IllegalPacket): void {
  const { client } = peer
  if (client.version === 5 && client.connected) disconnect(peer, error.reasonCode, 'CLIENT_ERROR')
  else if (error.connack) client.conn.write(error.connack, () => client.conn.destroy())
  else client.conn.destroy()
}

/** The packet that a client cannot be sent because it is larger than the client's Maximum Packet Size [MQTT-3.1.2-24]. */
export const tooSmall = (bytes: number, accepted = 0): IllegalPacket =>
  new IllegalPacket(reasonOf.tooLarge, `CONNACK has ${bytes} bytes, and the client accepts ${accepted} [MQTT-3.1.2-24]`)

const endingFor = (code: string): DisconnectReason => (code === 'NOT_AUTHORIZED' ? 'AUTH_ERROR' : 'CLIENT_ERROR')

/** What happens to a PUBLISH that was not taken: never an acknowledgement that could pass for a success. */
export function refuse(
  peer: Peer,
  packet: PublishPacket,
  error: unknown,
  { done, forward }: { readonly done: (error?: Error | null) => void; readonly forward: () => void },
) {
  const { client } = peer
  const code = codeOf(error, 'SPOOL_FAILED')
  // A will has nobody left to be told.
  if (client.closed) return done(new Error(code))
  const answer = answerTo(code, packet.qos, client.version ?? 4)
  if (answer.kind === 'forward') return forward()
  if (answer.kind === 'disconnect') return disconnect(peer, answer.reason, endingFor(code))
  if (answer.kind === 'puback') client.conn.write(toPuback(packet.messageId ?? 0, answer.reason))
  // aedes' own mark for a publish that has been dealt with and goes nowhere.
  Object.assign(packet, { _notAuthorized: true })
  done(null)
}

export function toSubscriber(peer: Peer, observe: Observe): Subscriber {
  const { client, session, receiver, outbox } = peer
  return {
    ...{ version: client.version ?? 4, session: session!, receiver: receiver!, outbox: outbox! },
    isOpen: () => !client.closed && client.disconnectReasonCode === null,
    write(packet) {
      if (packet.length <= (client.maximumPacketSize ?? Number.POSITIVE_INFINITY)) client.conn.write(packet)
      else disconnect(peer, reasonOf.tooLarge, 'SERVER_INITIATED_DISCONNECT') // [MQTT-3.1.2-24]
    },
    disconnect(reasonCode, code) {
      observe.record('client.failed', { code, clientId: client.id })
      disconnect(peer, reasonCode, endingFor(code))
    },
  }
}
