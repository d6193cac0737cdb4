// CONNECT: the protocol version, the flags, and the fields that they announce.
import { IllegalPacket, malformed, protocolError, reasonOf } from './illegal.ts'
import { type Properties, readProperties } from './properties.ts'
import type { PacketReader } from './reader.ts'

/** 3: MQTT 3.1. 4: MQTT 3.1.1. */
export type Version = 3 | 4 | 5

export interface ConnectWill {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
  readonly properties?: Properties
}

export interface ConnectPacket {
  readonly cmd: 'connect'
  readonly protocolId: string
  readonly protocolVersion: Version
  readonly clientId: string
  readonly clean: boolean
  /** Seconds; 0: none asked for. */
  readonly keepalive: number
  readonly properties?: Properties
  readonly will?: ConnectWill
  readonly username?: string
  readonly password?: Buffer
}

const willQosShift = 3
/** Bits of the connect flags [MQTT5-3.1.2.3]. */
const flag = { reserved: 0x01, clean: 0x02, will: 0x04, willQos: 0x18, willRetain: 0x20, password: 0x40, username: 0x80 } as const

/** The remaining length is written in more bytes than it needs, which MQTT 3.1.1 allows. */
export const paddedLength = (): IllegalPacket => malformed('the remaining length has a byte too many [MQTT-1.5.5-1]')

export function decodeConnect(reader: PacketReader, padded: boolean): ConnectPacket {
  const protocolId = reader.text('the protocol name')
  const protocolVersion = versionOf(protocolId, reader.byte('the protocol version'))
  try {
    if (padded && protocolVersion === 5) throw paddedLength()
    const packet = { cmd: 'connect', protocolId, protocolVersion, ...fieldsOf(reader, protocolVersion) } as const
    reader.expectEnd()
    return packet
  } catch (error) {
    if (error instanceof IllegalPacket && protocolVersion === 5) error.connack = Buffer.from([0x20, 3, 0, error.reasonCode, 0])
    throw error
  }
}

function fieldsOf(reader: PacketReader, version: Version): Omit<ConnectPacket, 'cmd' | 'protocolId' | 'protocolVersion'> {
  const flags = reader.byte('the connect flags')
  expectLegalFlags(flags, version)
  const keepalive = reader.uint16('the keep alive')
  const properties = version === 5 ? readProperties(reader, 'CONNECT') : undefined
  if (properties?.authenticationData !== undefined && properties.authenticationMethod === undefined) {
    throw protocolError('CONNECT has authentication data without a method [MQTT5-3.1.2.11.10]')
  }
  const clientId = reader.text('the client identifier')
  const will = (flags & flag.will) === 0 ? undefined : decodeWill(reader, version, flags)
  const username = (flags & flag.username) === 0 ? undefined : reader.text('the user name')
  const password = (flags & flag.password) === 0 ? undefined : reader.binary('the password')
  return {
    ...{ clientId, clean: (flags & flag.clean) !== 0, keepalive },
    ...(properties ? { properties } : {}),
    ...(will ? { will } : {}),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  }
}

function versionOf(protocolId: string, version: number): Version {
  if (protocolId === 'MQTT' && (version === 4 || version === 5)) return version
  if (protocolId === 'MQIsdp' && version === 3) return version
  if (protocolId === 'MQTT' || protocolId === 'MQIsdp') {
    const error = new IllegalPacket(reasonOf.version, `protocol version ${version} is not supported [MQTT-3.1.2-2]`)
    error.connack = Buffer.from([0x20, 2, 0, 1]) // the version is unknown, so the oldest form is used
    throw error
  }
  throw malformed(`the protocol name is ${JSON.stringify(protocolId)} [MQTT-3.1.2-1]`)
}

function expectLegalFlags(flags: number, version: Version): void {
  if ((flags & flag.reserved) !== 0) throw malformed('the reserved connect flag is set [MQTT-3.1.2-3]')
  if ((flags & flag.willQos) === flag.willQos) throw malformed('the will has QoS 3 [MQTT-3.1.2-12]')
  if ((flags & flag.will) === 0 && (flags & (flag.willQos | flag.willRetain)) !== 0) {
    throw malformed('CONNECT has will flags without a will [MQTT-3.1.2-11]')
  }
  if (version !== 5 && (flags & (flag.username | flag.password)) === flag.password) {
    throw malformed('CONNECT has a password without a user name [MQTT-3.1.2-22]')
  }
}

function decodeWill(reader: PacketReader, version: Version, flags: number): ConnectWill {
  const properties = version === 5 ? readProperties(reader, 'will') : undefined
  const topic = reader.text('the topic of the will')
  const payload = reader.binary('the payload of the will')
  const qos = ((flags & flag.willQos) >> willQosShift) as 0 | 1 | 2
  return { topic, payload, qos, retain: (flags & flag.willRetain) !== 0, ...(properties ? { properties } : {}) }
}
