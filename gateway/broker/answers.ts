// What a client is told when the broker does not do as asked: by MQTT 5 a reason code, by MQTT 3.1.1 silence or a closed connection.
import { codes, type ErrorCode } from '../errors.ts'
import type { AckPacket } from './packets/decode.ts'

export type Answer =
  /** No acknowledgement, and the connection stays. */
  | { readonly kind: 'ignore' }
  /** PUBACK with a reason code: the publish is over, the connection stays. */
  | { readonly kind: 'puback'; readonly reason: number }
  /** DISCONNECT with a reason code in MQTT 5, a closed connection in MQTT 3.1.1. */
  | { readonly kind: 'disconnect'; readonly reason: number }
  /** QoS 0 promised nothing: whoever subscribes still gets the message. */
  | { readonly kind: 'forward' }

/** MQTT 5 reason codes [MQTT5-2.4], those of AWS IoT Core where it documents one [AWS iot mqtt reason codes]. */
const reason = {
  notAuthorized: 0x87,
  serverBusy: 0x89,
  topicFilterInvalid: 0x8f,
  topicNameInvalid: 0x90,
  receiveMaximumExceeded: 0x93,
  packetTooLarge: 0x95,
  quotaExceeded: 0x97,
  qosNotSupported: 0x9b,
} as const

const ignore: Answer = { kind: 'ignore' }
const disconnect = (code: number): Answer => ({ kind: 'disconnect', reason: code })
const puback = (code: number): Answer => ({ kind: 'puback', reason: code })

/** By the refusal of a PUBLISH: what MQTT 3.1.1 does, and what MQTT 5 does at QoS 1. */
const answers: Partial<Record<ErrorCode, readonly [v3: Answer, v5: Answer]>> = {
  // The excess is discarded and not acknowledged, so a device may send it again [AWS iot-core quotas].
  RATE_EXCEEDED: [ignore, puback(reason.quotaExceeded)],
  TENANT_RATE_EXCEEDED: [ignore, puback(reason.quotaExceeded)],
  IN_FLIGHT_EXCEEDED: [ignore, disconnect(reason.receiveMaximumExceeded)],
  NOT_AUTHORIZED: [disconnect(reason.notAuthorized), puback(reason.notAuthorized)],
  TOPIC_INVALID: [disconnect(reason.topicNameInvalid), puback(reason.topicNameInvalid)],
  PROPERTY_TOO_LARGE: [disconnect(reason.quotaExceeded), puback(reason.quotaExceeded)],
  PAYLOAD_TOO_LARGE: [disconnect(reason.packetTooLarge), disconnect(reason.packetTooLarge)],
  QOS_NOT_SUPPORTED: [disconnect(reason.qosNotSupported), disconnect(reason.qosNotSupported)],
  // Throttled, as by AWS: nothing is wrong with the message, and another time there may be room [AWS iot-core quotas].
  RETAINED_FULL: [ignore, puback(reason.quotaExceeded)],
}

/** For a PUBLISH that was refused or could not be kept: never an acknowledgement that could pass for a success. */
export function answerTo(code: ErrorCode, qos: number, version: number): Answer {
  const known = answers[code]
  if (!known) {
    if (!codes[code].retryable) return disconnect(reason.notAuthorized)
    // A PUBACK with any reason code ends the exchange in MQTT 5, so a device that should try again is disconnected instead.
    return qos === 0 ? { kind: 'forward' } : disconnect(reason.serverBusy)
  }
  const answer = known[version === 5 ? 1 : 0]
  // At QoS 0 there is no acknowledgement to carry a reason.
  return answer.kind === 'puback' && qos === 0 ? ignore : answer
}

/** CONNACK return codes of MQTT 3.1.1; aedes has an MQTT 5 reason for each [MQTT-3.2.2.3]. */
const connacks: Partial<Record<ErrorCode, number>> = {
  CLIENT_ID_INVALID: 2,
  CONNECT_RATE_EXCEEDED: 3,
  RATE_EXCEEDED: 3,
  NOT_AUTHENTICATED: 5,
  SESSIONS_FAILED: 3,
  SESSIONS_FULL: 3,
}

/** Where AWS IoT Core has a reason in MQTT 5 that MQTT 3.1.1 has no code for [AWS iot mqtt reason codes]. */
const connackReasons: Partial<Record<ErrorCode, number>> = {
  CONNECT_RATE_EXCEEDED: reason.quotaExceeded,
  RATE_EXCEEDED: reason.quotaExceeded,
  PAYLOAD_TOO_LARGE: reason.quotaExceeded,
  TOPIC_INVALID: reason.topicNameInvalid,
  QOS_NOT_SUPPORTED: reason.qosNotSupported,
  SESSIONS_FULL: reason.quotaExceeded,
}

export const connackReasonFor = (code: ErrorCode): number | undefined => connackReasons[code]

export function connackFor(code: ErrorCode, withPassword: boolean): number {
  if (code === 'NOT_AUTHENTICATED' && withPassword) return 4
  return connacks[code] ?? 5
}

const subacks: Partial<Record<ErrorCode, number>> = {
  NOT_AUTHORIZED: reason.notAuthorized,
  TOPIC_INVALID: reason.topicFilterInvalid,
  SUBSCRIPTIONS_EXCEEDED: reason.quotaExceeded,
  RATE_EXCEEDED: reason.quotaExceeded,
  SESSIONS_FULL: reason.quotaExceeded,
}

/** For one filter that was refused: MQTT 3.1.1 has but one code for it [MQTT-3.9.3-2]. */
export function subackCode(code: ErrorCode, version: number): number {
  return version === 5 ? (subacks[code] ?? 0x80) : 0x80
}

/** A code for each filter of the SUBSCRIBE, in its order [MQTT-3.8.4-5]. */
export function toSuback(packetId: number, codes: readonly number[], version: number): Buffer {
  return toAck(0x90, packetId, codes, version)
}

/** MQTT 3.1.1 is told no codes [MQTT-3.10.4-4]. */
export function toUnsuback(packetId: number, codes: readonly number[], version: number): Buffer {
  return toAck(0xb0, packetId, version === 5 ? codes : [], version)
}

function toAck(first: number, packetId: number, codes: readonly number[], version: number): Buffer {
  const body = [packetId >> 8, packetId & 0xff, ...(version === 5 ? [0] : []), ...codes]
  const length = body.length < 128 ? [body.length] : [(body.length % 128) | 0x80, Math.floor(body.length / 128)]
  return Buffer.from([first, ...length, ...body])
}

/** PUBACK with a reason code and no properties [MQTT5-3.4.2.1]. */
export function toPuback(packetId: number, reasonCode: number): Buffer {
  return Buffer.from([0x40, 4, packetId >> 8, packetId & 0xff, reasonCode, 0])
}

const packetIdentifierNotFound = 0x92

/**
 * QoS 2 is offered to nobody, so no packet identifier of it is known: PUBREC is answered with PUBREL, and PUBREL with PUBCOMP.
 * MQTT 5 also hears that the identifier is unknown [MQTT5-3.6.2.1].
 */
export function toQos2Answer({ cmd, messageId }: AckPacket, version: number): Buffer | undefined {
  if (cmd === 'puback' || cmd === 'pubcomp') return undefined
  const first = cmd === 'pubrec' ? 0x62 : 0x70
  const reason = version === 5 ? [packetIdentifierNotFound] : []
  return Buffer.from([first, 2 + reason.length, messageId >> 8, messageId & 0xff, ...reason])
}
