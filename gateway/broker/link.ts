// The client's end of a connection, and the ways in which the broker ends it or refuses a packet.
import type { Caller } from '../access/access.ts'
import { codeOf } from '../errors.ts'
import type { AedesConnection } from './aedes.ts'
import { answerTo, toPuback } from './answers.ts'
import type { RefusedPublish } from './inlet.ts'
import type { DisconnectReason } from './lifecycle.ts'
import { IllegalPacket, reasonOf } from './packets/illegal.ts'

export interface Link {
  readonly client: AedesConnection
  readonly caller: Caller
  /** Why the connection ends; undefined while the broker has no reason to end it. */
  ending: DisconnectReason | undefined
}

/** A session expiry interval that means never [MQTT5-3.1.2.11.2]. */
const neverSeconds = 0xffffffff

/** Seconds that the session of a client outlives its connection. */
export function expiryOf({ sessionExpiryInterval }: AedesConnection): number {
  return sessionExpiryInterval >= neverSeconds ? Number.POSITIVE_INFINITY : sessionExpiryInterval
}

/** Ends a connection. MQTT 5 gets the reason code. */
export function disconnect(link: Link, reasonCode: number, ending: DisconnectReason): void {
  link.ending = ending
  link.client.disconnect(reasonCode)
}

/** Ends a connection like `disconnect`, without losing PUBACKs that are on their way. */
export function disconnectGently(link: Link, reasonCode: number): void {
  if (link.client.closed) return
  link.ending = 'SERVER_INITIATED_DISCONNECT'
  link.client.disconnectGently(reasonCode)
}

/** Ends the connection that sent an illegal packet. MQTT 5 gets the reason in CONNACK or DISCONNECT [MQTT5-4.13.1]. */
export function refuseIllegal(link: Link, error: IllegalPacket): void {
  const { client } = link
  if (client.version === 5 && client.connected) disconnect(link, error.reasonCode, 'CLIENT_ERROR')
  else if (error.connack) client.conn.write(error.connack, () => client.conn.destroy())
  else client.conn.destroy()
}

/** The error of a client whose Maximum Packet Size is too small for CONNACK [MQTT-3.1.2-24]. */
export const tooSmall = (bytes: number, accepted: number): IllegalPacket =>
  new IllegalPacket(reasonOf.tooLarge, `CONNACK has ${bytes} bytes, and the client accepts ${accepted} [MQTT-3.1.2-24]`)

export const endingFor = (code: string): DisconnectReason => (code === 'NOT_AUTHORIZED' ? 'AUTH_ERROR' : 'CLIENT_ERROR')

/** Answers a PUBLISH that was refused, never with an acknowledgement of success. true: its subscribers get the message nevertheless. */
export function refusePublish(link: Link, { qos, packetId }: RefusedPublish, error: unknown): boolean {
  const { client } = link
  if (client.closed) return false
  const code = codeOf(error, 'SPOOL_FAILED')
  const answer = answerTo(code, qos, client.version ?? 4)
  if (answer.kind === 'forward') return true
  if (client.disconnectReasonCode !== null) return false // nothing follows a DISCONNECT [MQTT-3.14.4-1]
  if (answer.kind === 'disconnect') disconnect(link, answer.reason, endingFor(code))
  else if (answer.kind === 'puback') client.conn.write(toPuback(packetId, answer.reason))
  return false
}
