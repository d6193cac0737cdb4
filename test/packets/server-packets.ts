// Decodes what a server sent, and accepts nothing that the specification does not allow it.
import { endOfPacket, Illegal, Reader, type ReadProperty } from './reader.ts'
import { flagsOf, malformed, type PacketName, packetNames, protocolError, serverReasons } from './spec.ts'

export interface ServerPacket {
  readonly name: PacketName
  readonly packetId?: number
  readonly reasons?: readonly number[]
  readonly sessionPresent?: boolean
  readonly qos?: number
  readonly retain?: boolean
  readonly dup?: boolean
  readonly topic?: string
  readonly payload?: Buffer
  readonly properties?: readonly ReadProperty[]
}

const wrong = (what: string) => new Illegal([malformed], 'MQTT5-4.13', what)

/** One whole packet. Throws Illegal. */
export function decodeServerPacket(bytes: Buffer, version: 4 | 5): ServerPacket {
  const name = packetNames[bytes[0]! >> 4]
  const flags = bytes[0]! & 15
  if (endOfPacket(bytes) !== bytes.length) throw wrong('not one packet')
  const reader = new Reader(bytes)
  reader.at = 1
  reader.variable('remaining length')
  if (name === undefined) throw wrong('packet type 0')
  if (name !== 'PUBLISH' && flags !== flagsOf(name)) throw wrong(`${name} has flags ${flags}`)
  const decode = decoders[name]
  if (!decode) throw new Illegal([protocolError], 'MQTT5-2.1.2', `a server sends ${name}`)
  const packet = { name, ...decode(reader, version, flags) }
  reader.end(name)
  return packet
}

type Decode = (reader: Reader, version: 4 | 5, flags: number) => Omit<ServerPacket, 'name'>

function reasonOf(name: PacketName, reader: Reader): number {
  const reason = reader.byte('reason code')
  if (!serverReasons[name]!.includes(reason)) throw wrong(`${name} has reason code 0x${reason.toString(16)}`)
  return reason
}

const packetIdOf = (reader: Reader) => {
  const packetId = reader.two('packet identifier')
  if (packetId === 0) throw new Illegal([protocolError], 'MQTT-2.2.1-4', 'packet identifier 0')
  return packetId
}

/** PUBACK and its kind: reason code and properties may be left out [MQTT5-3.4.2.1]. */
const answer =
  (name: PacketName): Decode =>
  (reader, version) => {
    const packetId = packetIdOf(reader)
    if (version === 4 || reader.left === 0) return { packetId, reasons: [0] }
    const reasons = [reasonOf(name, reader)]
    return { packetId, reasons, ...(reader.left > 0 ? { properties: reader.properties(name, 'server') } : {}) }
  }

const granted =
  (name: 'SUBACK' | 'UNSUBACK'): Decode =>
  (reader, version) => {
    const packetId = packetIdOf(reader)
    if (name === 'UNSUBACK' && version === 4) return { packetId, reasons: [] }
    const properties = version === 5 ? { properties: reader.properties(name, 'server') } : {}
    const reasons: number[] = []
    while (reader.left > 0) {
      const reason = reasonOf(name, reader)
      if (version === 4 && ![0, 1, 2, 0x80].includes(reason)) throw wrong(`SUBACK of MQTT 3.1.1 has 0x${reason.toString(16)}`)
      reasons.push(reason)
    }
    if (reasons.length === 0) throw wrong(`${name} has no reason code`)
    return { packetId, reasons, ...properties }
  }

const decoders: Partial<Record<PacketName, Decode>> = {
  CONNACK(reader, version) {
    const flags = reader.byte('flags')
    if (flags > 1) throw wrong(`CONNACK has flags ${flags}`)
    const reason = version === 5 ? reasonOf('CONNACK', reader) : reader.byte('return code')
    if (version === 4 && reason > 5) throw wrong(`CONNACK of MQTT 3.1.1 has ${reason}`)
    if (reason > 0 && flags > 0) throw wrong('a CONNACK that refuses has session present') // [MQTT-3.2.2-6]
    const properties = version === 5 ? { properties: reader.properties('CONNACK', 'server') } : {}
    return { sessionPresent: flags === 1, reasons: [reason], ...properties }
  },
  PUBLISH(reader, version, flags) {
    const qos = (flags >> 1) & 3
    if (qos === 3) throw wrong('PUBLISH has QoS 3')
    const topic = reader.string('topic')
    const packetId = qos > 0 ? { packetId: packetIdOf(reader) } : {}
    const properties = version === 5 ? reader.properties('PUBLISH', 'server') : []
    if (/[+#]/.test(topic)) throw wrong('topic has a wildcard')
    if (topic === '' && !properties.some(([id]) => id === 0x23)) throw wrong('topic is empty')
    const payload = reader.take(reader.left, 'payload')
    return { qos, retain: (flags & 1) === 1, dup: (flags & 8) === 8, topic, ...packetId, properties, payload }
  },
  PUBACK: answer('PUBACK'),
  PUBREC: answer('PUBREC'),
  PUBREL: answer('PUBREL'),
  PUBCOMP: answer('PUBCOMP'),
  SUBACK: granted('SUBACK'),
  UNSUBACK: granted('UNSUBACK'),
  PINGRESP: () => ({}),
  DISCONNECT(reader, version) {
    if (version === 4) throw new Illegal([protocolError], 'MQTT311-3.14', 'a server sends DISCONNECT in MQTT 3.1.1')
    if (reader.left === 0) return { reasons: [0] }
    const reasons = [reasonOf('DISCONNECT', reader)]
    return { reasons, ...(reader.left > 0 ? { properties: reader.properties('DISCONNECT', 'server') } : {}) }
  },
}
