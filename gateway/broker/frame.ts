// Finds the parts of a PUBLISH in the bytes of a socket: for the kind that devices send by the thousand, and without taking it apart.

/** Where they lie; one object serves one connection. */
export interface Frame {
  /** Behind the packet; of one that is `short`, where it ends at the earliest. */
  end: number
  /** Bytes after the fixed header. */
  length: number
  qos: 0 | 1
  packetId: number
  topicStart: number
  topicEnd: number
  payloadStart: number
}

/** `short`: the bytes end before the packet does. `other`: it is whole, and for the parser to read. `unclear`: neither can be said. */
export type Found = 'publish' | 'short' | 'other' | 'unclear'

export const createFrame = (): Frame => ({ end: 0, length: 0, qos: 0, packetId: 0, topicStart: 0, topicEnd: 0, payloadStart: 0 })

/** A longer PUBLISH that has not been read to its end is the parser's: it knows the limits, and when to give up. */
const maxShortBytes = 64 * 1024
const maxLengthBytes = 3

/** A PUBLISH of QoS 0 or 1 that is not retained and, in MQTT 5, has no properties [MQTT-3.3.1] [MQTT5-3.3.2.3]. */
export function readFrame(bytes: Buffer, at: number, version: number, frame: Frame): Found {
  const header = bytes[at]!
  const usual = header === 0x32 || header === 0x30 || header === 0x3a
  let pos = at + 1
  let length = 0
  for (let shift = 0; ; shift += 7) {
    if (pos >= bytes.length) {
      frame.end = pos + 1
      return usual ? 'short' : 'unclear'
    }
    const byte = bytes[pos++]!
    length += (byte & 127) << shift
    if (byte < 128) break
    if (shift === 7 * (maxLengthBytes - 1)) return 'unclear'
  }
  const end = pos + length
  frame.end = end
  if (end > bytes.length) return usual && length <= maxShortBytes ? 'short' : 'unclear'
  frame.length = length
  if (!usual || length < 2) return 'other'
  const topicEnd = pos + 2 + ((bytes[pos]! << 8) | bytes[pos + 1]!)
  frame.topicStart = pos + 2
  frame.topicEnd = topicEnd
  frame.qos = header === 0x30 ? 0 : 1
  const rest = topicEnd + (frame.qos === 0 ? 0 : 2)
  if (rest + (version === 5 ? 1 : 0) > end) return 'other'
  frame.packetId = frame.qos === 0 ? 0 : (bytes[topicEnd]! << 8) | bytes[topicEnd + 1]!
  if ((frame.qos === 1 && frame.packetId === 0) || (version === 5 && bytes[rest] !== 0)) return 'other' // [MQTT-2.3.1-1]
  frame.payloadStart = version === 5 ? rest + 1 : rest
  return 'publish'
}
