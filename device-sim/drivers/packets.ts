// MQTT 3.1.1 on the wire, only what a publishing device needs: the hot packet written by hand, the rare ones by mqtt-packet.
import { generate } from 'mqtt-packet'

export const type = { connack: 2, publish: 3, puback: 4, suback: 9, pingresp: 13 } as const

export const pingreq = Buffer.from([0xc0, 0])
export const disconnect = Buffer.from([0xe0, 0])

export function encodeConnect(clientId: string, keepAliveMs: number): Buffer {
  return generate({
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clientId,
    clean: true,
    keepalive: Math.ceil(keepAliveMs / 1_000),
  })
}

/** [MQTT-3.3.1]: type and QoS, remaining length, topic, packet id when QoS is 1, payload. */
export function encodePublish(topic: string, payload: Uint8Array, packetId: number): Buffer {
  const topicBytes = Buffer.byteLength(topic)
  const remaining = 2 + topicBytes + (packetId ? 2 : 0) + payload.length
  const packet = Buffer.allocUnsafe(1 + lengthBytes(remaining) + remaining)
  packet[0] = packetId ? 0x32 : 0x30
  let at = writeLength(packet, remaining)
  at = packet.writeUInt16BE(topicBytes, at)
  at += packet.write(topic, at)
  if (packetId) at = packet.writeUInt16BE(packetId, at)
  packet.set(payload, at)
  return packet
}

export function encodeSubscribe(filter: string, packetId: number): Buffer {
  return generate({ cmd: 'subscribe', messageId: packetId, subscriptions: [{ topic: filter, qos: 1 }] })
}

/** Of a PUBLISH: its topic, its payload, and its packet id, 0 at QoS 0. */
export function decodePublish(
  header: number,
  body: Uint8Array,
): { readonly topic: string; readonly payload: Uint8Array; readonly packetId: number } {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length)
  const topicEnd = 2 + bytes.readUInt16BE(0)
  const hasId = (header & 0x06) !== 0
  return {
    topic: bytes.toString('utf8', 2, topicEnd),
    payload: Uint8Array.prototype.slice.call(bytes, topicEnd + (hasId ? 2 : 0)),
    packetId: hasId ? bytes.readUInt16BE(topicEnd) : 0,
  }
}

export function encodePuback(packetId: number): Buffer {
  return Buffer.from([0x40, 2, packetId >> 8, packetId & 0xff])
}

/** Calls `onPacket` with the fixed header's first byte and the body of each whole packet; returns the bytes of a torn one. */
export function readPackets(bytes: Uint8Array, onPacket: (header: number, body: Uint8Array) => void): Uint8Array | undefined {
  let at = 0
  while (at + 2 <= bytes.length) {
    let remaining = 0
    let cursor = at + 1
    for (let shift = 0; ; shift += 7) {
      if (cursor >= bytes.length) return bytes.subarray(at)
      const byte = bytes[cursor++]!
      remaining |= (byte & 0x7f) << shift
      if (byte < 0x80) break
      if (shift === 21) throw new Error('remaining length of more than four bytes [MQTT-2.2.3]')
    }
    if (cursor + remaining > bytes.length) break
    onPacket(bytes[at]!, bytes.subarray(cursor, cursor + remaining))
    at = cursor + remaining
  }
  return at < bytes.length ? bytes.subarray(at) : undefined
}

function lengthBytes(length: number): number {
  return length < 128 ? 1 : length < 16_384 ? 2 : length < 2_097_152 ? 3 : 4
}

function writeLength(packet: Buffer, length: number): number {
  let at = 1
  for (let rest = length; ; ) {
    const low = rest % 128
    rest = (rest - low) / 128
    packet[at++] = rest ? low | 0x80 : low
    if (!rest) return at
  }
}
