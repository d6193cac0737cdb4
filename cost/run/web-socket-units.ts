// WebSocket: the upgrade, then frames (RFC 6455, 5.2); with MQTT packets in them, or JSON as an API Gateway WebSocket API takes it.
import { steps } from '../metering.ts'
import { incrementBytes, loadPriceBook } from '../price-book.ts'
import { takeHead } from './http-units.ts'
import { decodeMqtt } from './mqtt-units.ts'
import { type Decode, type Decoder, type Direction, noUnit, type Unit } from './unit.ts'

/*
    0               1               2..9            10..13
   ┌─┬─────┬───────┬─┬─────────────┬───────────────┬──────────┐
   │F│ 000 │opcode │M│ length 7    │ 126: 2, 127: 8│ mask of 4│ payload …
   └─┴─────┴───────┴─┴─────────────┴───────────────┴──────────┘
*/
interface Frame {
  readonly opcode: number
  readonly headerBytes: number
  readonly payload: Buffer
}

const controls: Readonly<Record<number, readonly [kind: string, role: Unit['role']]>> = {
  8: ['CLOSE', 'session'],
  9: ['PING', 'keepAlive'],
  10: ['PONG', 'keepAlive'],
}

/** Frame headers are part of the packet that they carry. */
export const decodeMqttOverWebSocket: Decode = (told) => {
  const headers = { up: 0, down: 0 }
  const packets = decodeMqtt((unit) => {
    told({ ...unit, bytes: unit.bytes + headers[unit.direction] })
    headers[unit.direction] = 0
  })
  return decodeFrames(told, (direction, { headerBytes, payload }) => {
    headers[direction] += headerBytes
    packets[direction](payload)
  })
}

export const decodeWebSocket: Decode = (told) => {
  const increment = incrementBytes(loadPriceBook('us-east-1'), 'apiGateway.webSocketMessages')
  return decodeFrames(told, (direction, { headerBytes, payload }) => {
    const billed = { 'apiGateway.webSocketMessages': steps(payload.length, increment) }
    const bytes = headerBytes + payload.length
    if (direction === 'down') return told({ ...noUnit, kind: 'answer', direction, role: 'ack', bytes, billed })
    const { action, topic = '', payload: body = '' } = JSON.parse(payload.toString()) as Record<string, string | undefined>
    const sizes = { payloadBytes: Buffer.byteLength(body), topicBytes: Buffer.byteLength(topic) }
    told({ kind: action ?? 'message', direction, role: 'message', bytes, ...sizes, billed })
  })
}

function decodeFrames(told: (unit: Unit) => void, onData: (direction: Direction, frame: Frame) => void): Decoder {
  const direct = (direction: Direction) => {
    let torn = Buffer.alloc(0)
    let isUpgraded = false
    return (chunk: Buffer) => {
      torn = Buffer.concat([torn, chunk])
      if (!isUpgraded) {
        const head = takeHead(torn)
        if (!head) return
        isUpgraded = true
        torn = torn.subarray(head.bytes)
        told({ ...noUnit, kind: direction === 'up' ? 'UPGRADE' : head.start.split(' ')[1]!, direction, role: 'session', bytes: head.bytes })
      }
      for (let frame = takeFrame(torn); frame; frame = takeFrame(torn)) {
        const size = frame.headerBytes + frame.payload.length
        torn = torn.subarray(size)
        const control = controls[frame.opcode]
        if (control) told({ ...noUnit, kind: control[0], direction, role: control[1], bytes: size })
        else onData(direction, frame)
      }
    }
  }
  return { up: direct('up'), down: direct('down') }
}

function takeFrame(bytes: Buffer): Frame | undefined {
  if (bytes.length < 2) return undefined
  const [first, second] = [bytes[0]!, bytes[1]!]
  const short = second & 0x7f
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0
  const maskBytes = second & 0x80 ? 4 : 0
  const headerBytes = 2 + lengthBytes + maskBytes
  if (bytes.length < headerBytes) return undefined
  const length = lengthBytes === 0 ? short : lengthBytes === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
  if (bytes.length < headerBytes + length) return undefined
  const payload = Buffer.from(bytes.subarray(headerBytes, headerBytes + length))
  if (maskBytes) for (let i = 0; i < length; i++) payload[i]! ^= bytes[headerBytes - 4 + (i % 4)]!
  return { opcode: first & 0x0f, headerBytes, payload }
}
