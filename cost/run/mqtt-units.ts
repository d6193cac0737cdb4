// MQTT packets by kind, and which of them AWS IoT Core meters [AWS IoT Core additional metering details].
import { type Packet, parser } from 'mqtt-packet'
import { steps } from '../metering.ts'
import type { Usage } from '../price.ts'
import { incrementBytes, loadPriceBook } from '../price-book.ts'
import type { Decode, Direction, Role } from './unit.ts'

const roles: Readonly<Record<string, Role>> = { publish: 'message', puback: 'ack', pingreq: 'keepAlive', pingresp: 'keepAlive' }

export const decodeMqtt: Decode = (told) => {
  const increment = incrementBytes(loadPriceBook('us-east-1'), 'iotCore.messages')
  const direct = (direction: Direction) => {
    const packets = parser()
    packets.on('packet', (packet: Packet) => {
      const isDelivery = direction === 'down' && packet.cmd === 'publish'
      const payloadBytes = packet.cmd === 'publish' ? packet.payload.length : 0
      const topicBytes = packet.cmd === 'publish' ? Buffer.byteLength(packet.topic) : 0
      const role = isDelivery ? 'delivery' : (roles[packet.cmd] ?? 'session')
      const billed = billedFor(packet, direction, increment)
      told({ kind: packet.cmd.toUpperCase(), direction, role, bytes: sizeOf(packet.length ?? 0), payloadBytes, topicBytes, billed })
    })
    packets.on('error', (error) => {
      throw error
    })
    return (chunk: Buffer) => void packets.parse(chunk)
  }
  return { up: direct('up'), down: direct('down') }
}

/** A retained message is metered once more; pings and everything else from the service are not metered. */
function billedFor(packet: Packet, direction: Direction, increment: number): Usage {
  const messages = (bytes: number) => ({ 'iotCore.messages': steps(bytes, increment) })
  if (packet.cmd === 'publish') {
    const size = Buffer.byteLength(packet.topic) + packet.payload.length
    return { 'iotCore.messages': steps(size, increment) * (packet.retain && direction === 'up' ? 2 : 1) }
  }
  if (direction === 'down') return {}
  if (packet.cmd === 'connect') return messages((packet.will?.topic.length ?? 0) + (packet.will?.payload.length ?? 0))
  if (packet.cmd === 'subscribe') return messages(packet.subscriptions.reduce((sum, { topic }) => sum + Buffer.byteLength(topic), 0))
  return packet.cmd === 'puback' ? messages(0) : {}
}

/** Fixed header and all, of a packet with this remaining length [MQTT-2.2.3]. */
function sizeOf(remaining: number): number {
  return 1 + (remaining < 128 ? 1 : remaining < 16_384 ? 2 : remaining < 2_097_152 ? 3 : 4) + remaining
}
