// Finds packets in the bytes of a socket, and the parts of a usual PUBLISH without decoding it.
import { malformed } from './packets/illegal.ts'

/** Where the parts of a packet lie. One object serves one connection. */
export interface Frame {
  /** The first byte after the fixed header. */
  start: number
  /** The first byte after the packet. Of a packet that is cut off: where it ends at the earliest. */
  end: number
  qos: 0 | 1
  packetId: number
  topicStart: number
  topicEnd: number
  payloadStart: number
}

export const createFrame = (): Frame => ({ start: 0, end: 0, qos: 0, packetId: 0, topicStart: 0, topicEnd: 0, payloadStart: 0 })

const maxLengthBytes = 4

/** Reads the fixed header at `at` into `start` and `end`. false: the header itself is cut off. Throws IllegalPacket. */
export function readHeader(bytes: Buffer, at: number, frame: Frame): boolean {
  let pos = at + 1
  let length = 0
  for (let shift = 0; ; shift += 7) {
    if (pos >= bytes.length) {
      frame.end = pos + 1
      return false
    }
    const byte = bytes[pos++]!
    length += (byte & 127) << shift
    if (byte < 128) break
    if (shift === 7 * (maxLengthBytes - 1)) throw malformed('the remaining length has more than four bytes [MQTT5-1.5.5]')
  }
  frame.start = pos
  frame.end = pos + length
  return true
}

/**
 * Finds the parts of a whole PUBLISH of QoS 0 or 1 that is not retained and, in MQTT 5, has no properties.
 * false: the packet is of another kind, or illegal. The topic is not looked into.
 */
export function locatePublish(bytes: Buffer, at: number, version: number, frame: Frame): boolean {
  const header = bytes[at]!
  const { start, end } = frame
  if ((header !== 0x32 && header !== 0x30 && header !== 0x3a) || end - start < 2) return false
  const topicEnd = start + 2 + ((bytes[start]! << 8) | bytes[start + 1]!)
  frame.topicStart = start + 2
  frame.topicEnd = topicEnd
  frame.qos = header === 0x30 ? 0 : 1
  const rest = topicEnd + (frame.qos === 0 ? 0 : 2)
  if (rest + (version === 5 ? 1 : 0) > end) return false
  frame.packetId = frame.qos === 0 ? 0 : (bytes[topicEnd]! << 8) | bytes[topicEnd + 1]!
  if ((frame.qos === 1 && frame.packetId === 0) || (version === 5 && bytes[rest] !== 0)) return false
  frame.payloadStart = version === 5 ? rest + 1 : rest
  return true
}
